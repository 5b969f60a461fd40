// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/group"
	"katrace/internal/inventory"
)

// terminal opens a terminal of that size; drawn is all that was written to it
// before it was closed.
func terminal(t *testing.T, columns, rows uint16) (slave *os.File, drawn func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(master) // EIO: nobody has the terminal open any more
		text <- strings.ReplaceAll(string(all), "\r\n", "\n")
	}()
	return slave, func() string {
		_ = slave.Close()
		return <-text
	}
}

// manySockets are 63 that die one after the other, the first of them last.
func manySockets() []inventory.Socket {
	var all []inventory.Socket
	for i := range 63 {
		s := inventory.Socket{
			State: conn.State{TCPState: conn.TCPEstablished, Local: netip.MustParseAddrPort("10.0.0.1:5432"),
				Remote: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(1000+i)), WaitsFor: conn.WaitsProbe,
				Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "a-long-name-2345"}}, Has: conn.HasNext | conn.HasDiesIn},
			Timer: conn.Timer{Next: 20 * time.Second, DiesIn: time.Duration(100-i) * time.Second},
		}
		all = append(all, s)
	}
	return all
}

// TestWatchFits: what is listed again and again has the height of the terminal,
// the first of the order at the top, and what is cut off is counted.
func TestWatchFits(t *testing.T) {
	for _, rows := range []uint16{1, 4, 10, 24} {
		for _, columns := range []uint16{40, 80} {
			slave, drawn := terminal(t, columns, rows)
			l := &inventory.List{Time: time.Unix(0, 0), Sockets: manySockets()}
			if err := show(l, &listOptions{output: "table", watch: time.Second, sort: "dies"}, slave, &writing{}); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimPrefix(drawn(), "\x1b[H\x1b[2J"), "\n") // the last one is the cursor's
			if len(lines) > max(int(rows), 4) {
				t.Errorf("%d lines on %d", len(lines), rows)
			}
			for _, line := range lines {
				if len([]rune(line)) > int(columns) {
					t.Errorf("%q on %d columns", line, columns)
				}
			}
			if !strings.Contains(lines[1], "10.0.0.9:1062") {
				t.Errorf("%q, want the one that dies next first", lines[1])
			}
			want := fmt.Sprintf("… %d more; 63 sockets, 00:00:00 UTC", 63-max(1, int(rows)-3))
			if got := lines[len(lines)-2]; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
}

// TestGroupsFit: groups that are listed again and again fit as well, and --limit
// counts groups, in every output.
func TestGroupsFit(t *testing.T) {
	for _, tt := range []struct {
		o    listOptions
		want int // groups
	}{
		{listOptions{output: "table"}, 63},
		{listOptions{output: "table", watch: time.Second}, 7},
		{listOptions{output: "table", limit: 5}, 5},
		{listOptions{output: "table", limit: 5, watch: time.Second}, 5},
		{listOptions{output: "json", limit: 5}, 5},
		{listOptions{output: "json", watch: time.Second}, 63},
	} {
		slave, drawn := terminal(t, 80, 10)
		tt.o.by, tt.o.sort = group.Keys{group.Remote}, "dies"
		l := &inventory.List{Time: time.Unix(0, 0), Sockets: manySockets()}
		for i := range l.Sockets {
			l.Sockets[i].Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 9, byte(i)}), 5432)
		}
		l.Sockets = append(l.Sockets, l.Sockets...)
		if err := show(l, &tt.o, slave, &writing{}); err != nil {
			t.Fatal(err)
		}
		text := drawn()
		if got := strings.Count(text, "10.9.9."); got != tt.want || !strings.Contains(text, "10.9.9.62") {
			t.Errorf("%+v: %d groups, want %d, first the one that dies next:\n%s", tt.o, got, tt.want, text)
		}
		if tt.o.output == "json" {
			continue
		}
		below := "\n63 groups of 126 sockets, 00:00:00 UTC\n"
		if tt.want < 63 {
			below = fmt.Sprintf("\n… %d more; 63 groups of 126 sockets, 00:00:00 UTC\n", 63-tt.want)
		}
		if !strings.HasSuffix(text, below) {
			t.Errorf("%+v: %q, want %q at its end", tt.o, text, below)
		}
	}
}

// TestLimit: --limit shows the first of the order, in every output, and without
// --watch a terminal's height bounds nothing.
func TestLimit(t *testing.T) {
	for _, tt := range []struct {
		o    listOptions
		want int
	}{
		{listOptions{output: "table"}, 63},
		{listOptions{output: "table", limit: 5}, 5},
		{listOptions{output: "table", limit: 5, watch: time.Second}, 5},
		{listOptions{output: "table", limit: 30, watch: time.Second}, 30},
		{listOptions{output: "json"}, 63},
		{listOptions{output: "json", limit: 5}, 5},
		{listOptions{output: "json", watch: time.Second}, 63},
		{listOptions{output: "table", limit: 100}, 63},
	} {
		slave, drawn := terminal(t, 200, 24)
		tt.o.sort = "dies"
		l := &inventory.List{Time: time.Unix(0, 0), Sockets: manySockets()}
		if err := show(l, &tt.o, slave, &writing{}); err != nil {
			t.Fatal(err)
		}
		text := drawn()
		if got := strings.Count(text, "10.0.0.9"); got != tt.want {
			t.Errorf("%+v: %d sockets, want %d", tt.o, got, tt.want)
		}
		if said := strings.Contains(text, fmt.Sprintf("… %d more; 63 sockets", 63-tt.want)); said != (tt.want < 63 && tt.o.output == "table") {
			t.Errorf("%+v: %q", tt.o, text)
		}
	}
}
