// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"katrace/internal/jiffies"
)

// DryRun says what the commands do that are advised.
const DryRun = "a dry run; --apply does it"

// LeastIdle is the least idle time that katrace set takes without --force: a
// thousand sockets with less send hundreds of probes a second.
const LeastIdle = 5 * time.Second

// SetCommand is the command line that changes settings of this connection and
// of no other; settings are katrace set's flags for them.
func (s *State) SetCommand(settings string) string {
	var b strings.Builder
	b.WriteString("katrace set")
	if s.Netns != 0 {
		fmt.Fprintf(&b, " --netns %d", s.Netns)
	}
	fmt.Fprintf(&b, " --addr %s --local-port %d --remote-port %d %s", s.Remote.Addr().Unmap().WithZone(""), s.Local.Port(), s.Remote.Port(), settings)
	return b.String()
}

// InTimeFlags are the flags of katrace set with which a connection that has
// these settings sends probes in time for the middlebox.
func (m Middlebox) InTimeFlags(has Settings, hz jiffies.HZ) string {
	idle := m.SafeIdle(hz)
	flags := "--idle " + Exact(idle)
	if has.Interval > idle {
		flags += " --intvl " + Exact(idle)
	}
	if idle < LeastIdle {
		flags += " --force"
	}
	return flags
}

// FlagWords are words as the flags take several.
func FlagWords(words []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(words) // a strings.Builder takes all
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// ShellWord quotes a word for a POSIX shell, where it has to be.
func ShellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,@%+=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
