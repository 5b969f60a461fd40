// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"katrace/internal/jiffies"
	"katrace/test/hostile"
)

func TestSetCommand(t *testing.T) {
	s := State{Netns: 4026531840, Local: netip.MustParseAddrPort("10.0.0.1:5432"), Remote: netip.MustParseAddrPort("[2001:db8::9%eth0]:40122")}
	if got, want := s.SetCommand("--idle 60s"), "katrace set --netns 4026531840 --addr 2001:db8::9 --local-port 5432 --remote-port 40122 --idle 60s"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for _, tt := range []struct {
		forgets, interval time.Duration
		want              string
	}{
		{350 * time.Second, 75 * time.Second, "--idle 333s"},
		{60 * time.Second, 75 * time.Second, "--idle 57s --intvl 57s"},
		{4 * time.Second, time.Second, "--idle 3s --force"},
	} {
		const hz jiffies.HZ = 250
		m, has := Middlebox{Forgets: tt.forgets}, Settings{Idle: 2 * time.Hour, Interval: tt.interval, Count: 9}
		if got := m.InTimeFlags(has, hz); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.forgets, got, tt.want)
		}
	}
}

// TestShellWord: a shell reads what was quoted as it was.
func TestShellWord(t *testing.T) {
	for _, name := range append(hostile.Names, "", "plain", "a b", "it's", "$(x)", "`x`", "~", "*", "-n") {
		if strings.ContainsRune(name, 0) {
			continue // no argument has one
		}
		if out, err := exec.Command("sh", "-c", "printf %s "+ShellWord(name)).Output(); string(out) != name || err != nil {
			t.Errorf("%q: a shell reads %q, %v", name, out, err)
		}
	}
}
