// SPDX-License-Identifier: BSD-2-Clause

package advice

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/group"
	"katrace/test/hostile"
)

func TestProgramCommand(t *testing.T) {
	const flags = "--idle-limit azure --on --idle 223s"
	of := func(set func(*conn.State)) *conn.State {
		s := &conn.State{Netns: 7, Local: netip.MustParseAddrPort("10.0.0.1:41000"), Remote: netip.MustParseAddrPort("10.0.0.9:6379"), Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "java"}}}
		set(s)
		return s
	}
	alone := "katrace set --netns 7 --addr 10.0.0.9 --local-port 41000 --remote-port 6379 " + flags
	there := group.Port{Number: 6379}
	for _, tt := range []struct {
		name    string
		of      *conn.State
		service group.Port
		want    string
	}{
		{"a client", of(func(*conn.State) {}), there, "katrace set --netns 7 --comm java --remote-port 6379 " + flags},
		{"a server", of(func(s *conn.State) { s.Process.Comm = "Web Content" }), group.Port{Number: 41000, Here: true}, "katrace set --netns 7 --comm 'Web Content' --local-port 41000 " + flags},
		{"in a container", of(func(s *conn.State) { s.Container = strings.Repeat("3f2a9c0d1b4e", 4) }), there, "katrace set --container 3f2a9c0d1b4e --comm java --remote-port 6379 " + flags},
		{"a name with a comma", of(func(s *conn.State) { s.Process.Comm = "a,b" }), there, `katrace set --netns 7 --comm '"a,b"' --remote-port 6379 ` + flags},
		{"of a recording without namespaces", of(func(s *conn.State) { s.Netns = 0 }), there, "katrace set --comm java --remote-port 6379 " + flags},
		{"held by nobody known", of(func(s *conn.State) { s.Process = conn.Process{} }), there, alone},
		{"of no service known", of(func(*conn.State) {}), group.Port{}, alone},
		{"a thread's", of(func(s *conn.State) { s.HeldBy = conn.HeldByThread }), there, "katrace set --netns 7 --comm java --remote-port 6379 " + flags},
		{"the kernel's", of(func(s *conn.State) { s.HeldBy = conn.HeldByKernel }), there, ""},
		{"not accepted", of(func(s *conn.State) { s.HeldBy = conn.HeldByAcceptQueue }), there, ""},
		{"an io_uring's", of(func(s *conn.State) { s.HeldBy = conn.HeldByIOUring }), there, ""},
	} {
		if got := ProgramCommand(tt.of, tt.service, flags); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	// What is pasted into a terminal must not act on it.
	for _, name := range hostile.Names {
		hostile.CheckPrinting(t, []byte(ProgramCommand(of(func(s *conn.State) { s.Process.Comm = name }), there, flags)))
		hostile.CheckPrinting(t, []byte(ProgramCommand(of(func(s *conn.State) { s.Container = name }), there, flags)))
	}
}

// TestSettingsCommands: the command leaves alone what is in time, and there is one
// where it would help and nowhere else.
func TestSettingsCommands(t *testing.T) {
	slow := conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9}
	late := TimerOf(slow)
	late.Overlong = true
	for _, tt := range []struct {
		name string
		k    conn.Settings
		t    Timer
		want string // of the flags that commands were asked for
	}{
		{"in time", conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}, TimerOf(conn.Settings{Idle: time.Minute}), ""},
		{"too late", slow, TimerOf(slow), "--idle-limit azure --on --idle 223s"},
		{"too late for some", conn.Settings{Idle: 300 * time.Second}, TimerOf(conn.Settings{Idle: 300 * time.Second}), "--idle-limit azure --on --idle 223s"},
		{"by the interval", conn.Settings{Idle: time.Minute, Interval: time.Hour}, TimerOf(conn.Settings{Idle: time.Hour}), "--idle-limit azure --on --idle 223s --intvl 223s"},
		{"armed before the change", slow, late, "--rearm"},
	} {
		for _, known := range []bool{true, false} {
			want := tt.want
			items := Settings(tt.k, tt.t, func(flags string) string {
				if !known {
					return ""
				}
				return flags
			})
			if !known {
				want = ""
			}
			var got []string
			for _, i := range items {
				if i.Command != "" {
					got = append(got, i.Command)
				}
				if stops := strings.HasSuffix(i.Words, "."); stops != (i.Command == "") {
					t.Errorf("%s: %q before %q", tt.name, i.Words, i.Command)
				}
			}
			if strings.Join(got, "; ") != want {
				t.Errorf("%s, who holds it is known %t: %q, want %q", tt.name, known, got, want)
			}
		}
	}
}
