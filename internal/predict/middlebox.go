// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"fmt"
	"strings"

	"katrace/internal/conn"
)

// middlebox is the verdict on a middlebox that forgets idle connections.
func (p *Prediction) middlebox() string {
	m, hz := p.Limit, p.HZ
	name := "a middlebox"
	if m.Name != "" {
		name = m.Name
	}
	s, silence := p.Settings, p.silence()
	latest := exact(silence + hz.Slack(silence))
	said := fmt.Sprintf("%s (forgets after %s): ", name, conn.Exact(m.Forgets))
	var advice string
	if m.Judge(s.Period(), hz) == conn.InTime {
		advice = "\nIt is in time once " + conn.Rearm + p.command("--rearm")
	} else {
		advice = fmt.Sprintf("\nSet TCP_KEEPIDLE to %s or less", exact(m.SafeIdle(hz)))
		if s.Interval > s.Idle {
			advice += ", and TCP_KEEPINTVL not above it: while the peer answers, the kernel\nprobes no more often than every TCP_KEEPINTVL"
		}
		advice += p.command(m.InTimeFlags(s, hz))
	}
	switch m.Judge(silence, hz) {
	case conn.InTime:
		return said + fmt.Sprintf("in time. While the peer answers, a probe passes after every %s of idleness, at the latest after %s.", exact(silence), latest)
	case conn.PerhapsTooLate:
		said += fmt.Sprintf("perhaps too late. A probe is due after %s, but the timer may be late, until %s.", exact(silence), latest)
	case conn.TooLate:
		switch {
		case p.armed():
			said += fmt.Sprintf("too late. The timer was armed before the change: the next probe is due after %s of silence.", exact(silence))
		case s.Idle <= m.Forgets:
			said += fmt.Sprintf("too late. The first probe leaves in time, after %s, but the next only %s after it.", exact(s.Idle), exact(silence))
		default:
			said += fmt.Sprintf("too late. An idle connection is forgotten %s before its first probe.", exact(s.Idle-m.Forgets))
		}
	}
	return said + strings.TrimSuffix(advice+".", "\n.")
}

// command is what sets it on the live socket, as the end of a sentence.
func (p *Prediction) command(flags string) string {
	if p.Socket == nil {
		return ""
	}
	return ":\n  " + p.Socket.SetCommand(flags) + "   (" + conn.DryRun + ")\n"
}
