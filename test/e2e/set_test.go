// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestSetTimer: the kernel's timer follows what katrace set has set on a live
// socket. A connection whose keepalive is off sends a probe once it has been silent
// for a second, and the peer answers. Where the backend sees who switches keepalive
// on, that is katrace.
func TestSetTimer(t *testing.T) {
	unlessHidden(t, func(t *testing.T) (wrong []string, lost events.Lost) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		dialer := net.Dialer{KeepAlive: -1}
		c, err := dialer.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		port := fmt.Sprint(c.LocalAddr().(*net.TCPAddr).Port)
		by := anyBackend()
		r := launch(t, by, "--local-port", port)
		r.attached()
		out, stderr, status := katrace(t, "set", "--pid", fmt.Sprint(os.Getpid()), "--local-port", port,
			"--on", "--idle", "1s", "--intvl", "2s", "--cnt", "5", "--force", "--apply")
		if status != 0 {
			t.Fatalf("status %d\n%s%s", status, out, stderr)
		}
		if err := control(c.(*net.TCPConn), func(fd int) error {
			idle, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			if idle != 1 {
				t.Errorf("the owner reads TCP_KEEPIDLE %d, want 1", idle)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		// The fourth firing is 7 s after the last data: enough for one that is seen.
		var evs []events.Event
		probe := func(e events.Event) bool { return e.Kind == events.KindProbe }
		for end := time.Now().Add(time.Minute); !slices.ContainsFunc(evs, probe) && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			evs = r.seen()
		}
		evs = r.stop()
		for _, e := range evs {
			if e.Kind == events.KindLost {
				lost = e.Lost
			}
		}
		if factsHere(t, by).Enabled {
			i := slices.IndexFunc(evs, func(e events.Event) bool { return e.Kind == events.KindEnabled })
			if name := filepath.Base(*program); i < 0 || evs[i].Process.Comm != name || evs[i].Process.PID == os.Getpid() {
				wrong = append(wrong, fmt.Sprintf("no event says that %s switched keepalive on: %+v", name, evs))
			}
		}
		i := slices.IndexFunc(evs, probe)
		if i < 0 {
			return append(wrong, "no probe came"), lost
		}
		want := conn.Settings{Idle: time.Second, Interval: 2 * time.Second, Count: 5}
		if e := &evs[i]; e.Keepalive != want || e.IdleFor < time.Second || e.Next != want.Interval {
			wrong = append(wrong, fmt.Sprintf("the probe: settings %+v, want %+v; idle for %s, next in %s", e.Keepalive, want, e.IdleFor, e.Next))
		}
		return wrong, lost
	})
}
