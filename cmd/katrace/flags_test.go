// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"math/bits"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/events"
)

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{
		"10.1.2.3":            "10.1.2.3/32",
		"10.1.2.3/8":          "10.0.0.0/8",
		"0.0.0.0/0":           "0.0.0.0/0",
		"2001:db8::1":         "2001:db8::1/128",
		"2001:db8::1/32":      "2001:db8::/32",
		"::ffff:10.1.2.3":     "10.1.2.3/32",
		"::ffff:10.1.2.3/104": "10.0.0.0/8",
		"::ffff:10.1.2.3/96":  "0.0.0.0/0",
		"::ffff:10.1.2.3/95":  "::fffe:0:0/95",
		"10/8":                "",
		"10.0.0.0/33":         "",
		"10.0.0.0/-1":         "",
		"fe80::1%eth0":        "",
		"example.com":         "",
		"":                    "",
		" 10.0.0.1":           "",
	} {
		got, err := parsePrefix(in)
		if want == "" && err == nil || want != "" && got.String() != want {
			t.Errorf("%q: %s, %v; want %q", in, got, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	page := os.Getpagesize()
	for in, want := range map[string]int{
		strconv.Itoa(page): page,
		"512KiB":           512 << 10,
		"8MiB":             8 << 20,
		"8 MiB":            8 << 20,
		"1GiB":             1 << 30,
		"1073741824":       1 << 30,
		"1":                0,
		"0":                0,
		"3MiB":             0,
		"2GiB":             0,
		"4294967295GiB":    0,
		"8MB":              0,
		"-8MiB":            0,
		"MiB":              0,
		"":                 0,
	} {
		got, err := parseSize(in)
		if int(got) != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
}

func TestParseNetns(t *testing.T) {
	var st syscall.Stat_t
	if err := syscall.Stat("/proc/self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]uint32{
		"4026531840":        4026531840,
		"/proc/self/ns/net": uint32(st.Ino),
		"0":                 0,
		"4294967296":        0,
		"no-such-name":      0,
		"/no/such/path":     0,
		"a\x00b":            0,
	} {
		got, err := parseNetns(in)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
}

func TestFilterFlags(t *testing.T) {
	var got events.Filter
	cmd := &cobra.Command{}
	addEventFlags(cmd, groupTrace, &got)
	err := cmd.ParseFlags(strings.Fields("--port 80,1 --local-port 1 --remote-port 65535 --addr 10.0.0.9/8 --netns 7 -4 --pid 812 --comm sh" +
		" --cgroup /a --container 3f --event reset --event probe --dead --silent"))
	want := events.Filter{
		Owner: conn.OwnerFilter{PIDs: []int{812}, Comms: []string{"sh"}, Cgroups: []string{"/a"}, Containers: []string{"3f"}},
		Socket: conn.SocketFilter{
			Netns: []uint32{7}, Ports: []uint16{80, 1}, LocalPorts: []uint16{1}, RemotePorts: []uint16{65535},
			Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, OnlyIPv4: true,
		},
		Kinds:  []events.Kind{events.KindReset, events.KindProbe},
		Dead:   true,
		Silent: true,
	}
	prefixes := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	if d := cmp.Diff(want, got, prefixes); d != "" || err != nil {
		t.Errorf("%v (- want, + got):\n%s", err, d)
	}
}

// wantUsageError: the command refuses these arguments, and says that.
func wantUsageError(t *testing.T, cmd *cobra.Command, args, want string) {
	t.Helper()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(flagError) // of the root command
	cmd.SetArgs(strings.Fields(args))
	err := cmd.Execute()
	var usage usageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want a usage error with %q", args, err, want)
	}
}

func FuzzParsePrefix(f *testing.F) {
	for _, s := range []string{"10.0.0.0/8", "::ffff:10.0.0.1/96", "::ffff:0:0/95", "2001:db8::1", "fe80::1%lo", "::/0", "1.2.3.4/032"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePrefix(s)
		if err != nil {
			return
		}
		if !p.IsValid() || p != p.Masked() || p.Addr().Zone() != "" || p.Addr().Is4In6() && p.Bits() >= 96 {
			t.Fatalf("%q: %s", s, p)
		}
		if again, err := parsePrefix(p.String()); err != nil || again != p {
			t.Fatalf("%q: %s, which is read as %s, %v", s, p, again, err)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"4096", "8MiB", "1GiB", "4294967295GiB", " 1 KiB", "8KiBMiB", "+1GiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err == nil && (bits.OnesCount32(n) != 1 || int(n) < os.Getpagesize() || n > 1<<30) || err != nil && n != 0 {
			t.Fatalf("%q: %d, %v", s, n, err)
		}
	})
}

func FuzzParseNetns(f *testing.F) {
	for _, s := range []string{"4026531840", "0", "-1", "/proc/self/ns/net", "../..", "a\x00b", "name"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseNetns(s)
		if number, nan := strconv.ParseUint(s, 10, 32); nan == nil && number != 0 && (err != nil || n != uint32(number)) {
			t.Fatalf("%q: %d, %v", s, n, err)
		}
		if err != nil && !strings.Contains(err.Error(), "want an inode number") {
			t.Fatalf("%q: %v does not say what is wanted", s, err)
		}
	})
}

// FuzzFilterFlags: whatever is refused is a usage error that quotes its input,
// and what is taken has what it was given.
func FuzzFilterFlags(f *testing.F) {
	for _, s := range []string{"80", "0", "10.0.0.0/8", "-1", "2147483648", "lost\x1b[2J", "probe", "", "/a", "a/b", "/proc/self/ns/net", "sixteen bytes are", "1,2,", `"a,b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, flag := range []string{"port", "local-port", "remote-port", "addr", "netns", "pid", "comm", "cgroup", "container", "event"} {
			var got events.Filter
			cmd := &cobra.Command{}
			cmd.SetFlagErrorFunc(flagError)
			addEventFlags(cmd, groupTrace, &got)
			err := cmd.ParseFlags([]string{"--" + flag + "=" + in})
			if err != nil {
				err = flagError(cmd, err)
			}
			s := &got.Socket
			n := len(s.Ports) + len(s.LocalPorts) + len(s.RemotePorts) + len(s.Prefixes) + len(s.Netns) +
				len(got.Owner.PIDs) + len(got.Owner.Comms) + len(got.Owner.Cgroups) + len(got.Owner.Containers) + len(got.Kinds)
			if words := cmd.Flag(flag).Value.(lister).given(); err == nil && (n == 0 || n != len(words)) {
				t.Fatalf("--%s %q: %+v of %q", flag, in, got, words)
			}
			var usage usageError
			if err != nil && (!errors.As(err, &usage) || !strings.HasPrefix(err.Error(), "--"+flag+" \"") || !strings.Contains(err.Error(), "\": ")) {
				t.Fatalf("--%s %q: %v: want a usage error that quotes it", flag, in, err)
			}
		}
	})
}
