// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// sayPrediction is the timeline for people.
func sayPrediction(b []byte, o *predictOptions, p *prediction) []byte {
	span := func(d time.Duration) string { return string(events.AppendSpan(nil, d)) }
	s := &p.settings
	if p.socket != nil {
		b = fmt.Appendf(b, "%s > %s, %s\n", p.socket.Local, p.socket.Remote, appendOwnerCell(nil, p.socket))
	}
	b = fmt.Appendf(b, "idle %s (%s), interval %s (%s), count %d (%s), user timeout %s\n\n",
		span(s.Idle), p.source(events.SettingIdle), span(s.Interval), p.source(events.SettingInterval),
		s.Count, p.source(events.SettingCount), userTimeoutWord(s.UserTimeout))
	b = fmt.Appendf(b, "%12s  %13s\n", "AFTER", "AT THE LATEST")
	if p.socket == nil {
		b = fmt.Appendf(b, "%12s  %13s  the last segment from the peer\n", "0s", "")
	} else {
		b = fmt.Appendf(b, "%12s  %13s  now; the peer has been silent since 0s, %d probes are out\n", span(p.idleFor), "", p.unanswered)
	}
	for i, step := range p.steps {
		if skipped := p.skipped(); skipped > 0 && i > headSteps && i < headSteps+skipped {
			continue
		} else if skipped > 0 && i == headSteps {
			b = fmt.Appendf(b, "%12s  %13s  %d more probes, one every %s\n", "...", "", skipped, span(s.Interval))
			continue
		}
		b = fmt.Appendf(b, "%12s  %13s  %s\n", exact(step.At), exact(step.Latest), p.say(step))
	}
	if note := p.note(); note != "" {
		b = append(append(b, '\n'), note...)
	}
	if o.idleLimit.after > 0 {
		b = append(append(b, '\n'), p.middlebox(o.idleLimit, o.jiffy)...)
		b = append(b, '\n')
	}
	return b
}

// A timeline of many probes is shown by its beginning and its end.
const (
	headSteps = 10
	tailSteps = 3 // the giving up included
)

func (p *prediction) skipped() int {
	if n := len(p.steps) - headSteps - tailSteps; n > 1 {
		return n
	}
	return 0
}

func (p *prediction) say(step inventory.Step) string {
	switch {
	case step.Probe == 0:
		return "gives up: sends RST; the application reads ETIMEDOUT"
	case p.settings.UserTimeout != 0:
		return fmt.Sprintf("probe %d", step.Probe)
	}
	return fmt.Sprintf("probe %d/%d", step.Probe, p.settings.Count)
}

func (p *prediction) source(one events.Setting) string {
	switch {
	case p.own&one != 0 && p.socket == nil:
		return "given"
	case p.own&one != 0:
		return "set"
	case p.settings.Inherited&one != 0:
		return "sysctl"
	}
	return "set or sysctl"
}

// note says what people do not expect of TCP_USER_TIMEOUT.
func (p *prediction) note() string {
	s := &p.settings
	if s.UserTimeout == 0 {
		return ""
	}
	probes := p.unanswered + len(p.steps) - 1
	var b strings.Builder
	fmt.Fprintf(&b, "TCP_USER_TIMEOUT decides, TCP_KEEPCNT %d does not: given up with %d unanswered.\n", s.Count, probes)
	if s.UserTimeout <= s.Idle && p.socket == nil {
		b.WriteString("It is over before the first probe, but one probe has to be out: the second firing gives up.\n")
	}
	for _, step := range p.steps[:len(p.steps)-1] {
		if step.Latest >= s.UserTimeout && step.At < s.UserTimeout && step.Probe > 1 {
			fmt.Fprintf(&b, "It is over soon after %s: a timer that is late may give up then already.\n", exact(step.At))
			break
		}
	}
	return b.String()
}

// limitVerdict is the verdict on a middlebox, as the JSON says it.
func (p *prediction) limitVerdict(l limit, jiffy time.Duration) string {
	period := inventory.Period(p.settings)
	switch latest := period + inventory.Slack(period, jiffy); {
	case period > l.after:
		return "too_late"
	case latest > l.after || period == l.after:
		return "perhaps_too_late"
	}
	return "in_time"
}

// middlebox is the verdict on a middlebox that forgets idle connections.
func (p *prediction) middlebox(l limit, jiffy time.Duration) string {
	name := "a middlebox"
	if l.name != "" {
		name = l.name
	}
	s := p.settings
	period := inventory.Period(s)
	latest := exact(period + inventory.Slack(period, jiffy))
	said := fmt.Sprintf("%s (forgets after %s): ", name, exact(l.after))
	advice := fmt.Sprintf("\nSet TCP_KEEPIDLE to %s or less", exact(safeIdle(l.after, jiffy)))
	if s.Interval > s.Idle {
		advice += ", and TCP_KEEPINTVL not above it: while the peer answers, the kernel\nprobes no more often than every TCP_KEEPINTVL"
	}
	switch p.limitVerdict(l, jiffy) {
	case "too_late":
		if s.Idle <= l.after {
			return said + fmt.Sprintf("too late. The first probe leaves in time, after %s, but the next only %s after it.", exact(s.Idle), exact(period)) + advice + "."
		}
		return said + fmt.Sprintf("too late. An idle connection is forgotten %s before its first probe.", exact(s.Idle-l.after)) + advice + "."
	case "perhaps_too_late":
		return said + fmt.Sprintf("perhaps too late. A probe is due after %s, but the timer may be late, until %s.", exact(period), latest) + advice + "."
	}
	return said + fmt.Sprintf("in time. While the peer answers, a probe passes after every %s of idleness, at the latest after %s.", exact(period), latest)
}

// safeIdle is the largest TCP_KEEPIDLE whose probe leaves before the limit,
// however late the timer is.
func safeIdle(limit, jiffy time.Duration) time.Duration {
	idle := (limit - 1).Truncate(time.Second)
	for idle > time.Second && idle+inventory.Slack(idle, jiffy) >= limit {
		idle -= time.Second
	}
	return max(idle, time.Second)
}

func userTimeoutWord(d time.Duration) string {
	if d == 0 {
		return "not set"
	}
	return exact(d)
}

// exact says a time to the tenth of a second, for figures that are compared:
// 2h11m15s, 350s, 2.5s.
func exact(d time.Duration) string {
	d = d.Round(100 * time.Millisecond)
	if d < 10*time.Minute {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	return d.Round(time.Second).String()
}
