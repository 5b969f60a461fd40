// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/events"
	"katrace/internal/jiffies"
)

func presetNames() (names []string) {
	for _, m := range events.Middleboxes {
		names = append(names, m.Name)
	}
	return names
}

// parseLimit reads the value of --idle-limit.
func parseLimit(s string) (events.Middlebox, error) {
	for _, m := range events.Middleboxes {
		if m.Name == s {
			return m, nil
		}
	}
	d, err := parseTime(s)
	if err != nil || d <= 0 {
		return events.Middlebox{}, usagef("--idle-limit %q: want a time such as 350s, or %s", s, strings.Join(presetNames(), ", "))
	}
	return events.Middlebox{Forgets: d}, nil
}

// silence is the longest time without any segment while the peer answers.
func (p *prediction) silence() time.Duration {
	if p.socket != nil {
		return p.socket.Silence()
	}
	return p.settings.Period()
}

// armed says that the socket's timer runs longer than the settings say.
func (p *prediction) armed() bool { return p.socket != nil && p.socket.ArmedBeforeChange }

// sayMiddlebox is the verdict on a middlebox that forgets idle connections.
func (p *prediction) sayMiddlebox(m events.Middlebox, hz jiffies.HZ) string {
	name := "a middlebox"
	if m.Name != "" {
		name = m.Name
	}
	s, silence := p.settings, p.silence()
	latest := exact(silence + hz.Slack(silence))
	said := fmt.Sprintf("%s (forgets after %s): ", name, limitWord(m.Forgets))
	var advice string
	switch {
	case m.Judge(s.Period(), hz) == events.InTime:
		advice = "\nIt is in time once " + rearm
	default:
		advice = fmt.Sprintf("\nSet TCP_KEEPIDLE to %s or less", exact(m.SafeIdle(hz)))
		if s.Interval > s.Idle {
			advice += ", and TCP_KEEPINTVL not above it: while the peer answers, the kernel\nprobes no more often than every TCP_KEEPINTVL"
		}
	}
	switch m.Judge(silence, hz) {
	case events.TooLate:
		switch {
		case p.armed():
			said += fmt.Sprintf("too late. The timer was armed before the change: the next probe is due after %s of silence.", exact(silence))
		case s.Idle <= m.Forgets:
			said += fmt.Sprintf("too late. The first probe leaves in time, after %s, but the next only %s after it.", exact(s.Idle), exact(silence))
		default:
			said += fmt.Sprintf("too late. An idle connection is forgotten %s before its first probe.", exact(s.Idle-m.Forgets))
		}
		return said + advice + "."
	case events.PerhapsTooLate:
		return said + fmt.Sprintf("perhaps too late. A probe is due after %s, but the timer may be late, until %s.", exact(silence), latest) + advice + "."
	}
	return said + fmt.Sprintf("in time. While the peer answers, a probe passes after every %s of idleness, at the latest after %s.", exact(silence), latest)
}

// limitWord says a limit as the figures beside it are said, but exactly.
func limitWord(d time.Duration) string {
	if d < 10*time.Minute {
		return fmt.Sprint(d.Seconds()) + "s"
	}
	return d.String()
}
