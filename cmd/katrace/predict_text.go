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
	s := &p.settings
	if p.socket != nil {
		b = fmt.Appendf(b, "%s > %s, %s\n", p.socket.Local, p.socket.Remote, appendOwnerCell(nil, p.socket))
	}
	b = fmt.Appendf(b, "idle %s (%s), interval %s (%s), count %d (%s), user timeout %s\n\n",
		settingWord(s.Idle), p.source(events.SettingIdle), settingWord(s.Interval), p.source(events.SettingInterval),
		s.Count, p.source(events.SettingCount), userTimeoutWord(s.UserTimeout))
	b = fmt.Appendf(b, "%12s  %13s\n", "AFTER", "AT THE LATEST")
	if p.socket == nil {
		b = fmt.Appendf(b, "%12s  %13s  the last segment from the peer\n", "0s", "")
	} else {
		b = fmt.Appendf(b, "%12s  %13s  %s\n", events.AppendSpan(nil, p.socket.IdleFor), "", sayNow(p.socket))
	}
	skipped := p.skipped()
	for i := 0; i <= p.line.Probes; i++ {
		if skipped > 0 && i == headSteps {
			b = fmt.Appendf(b, "%12s  %13s  %d more probes, one every %s\n", "...", "", skipped, settingWord(p.line.Every))
			i += skipped - 1
			continue
		}
		step := p.line.Step(i)
		b = fmt.Appendf(b, "%12s  %13s  %s\n", exact(step.At), exact(step.Latest), p.say(step))
	}
	if note := p.note(); note != "" {
		b = append(append(b, '\n'), note...)
	}
	if p.armed() {
		b = append(append(append(b, "\nThe timer was armed before the change, for longer than the settings in force say, and runs on until "...), rearm...), ".\n"...)
	}
	if o.idleLimit.Forgets > 0 {
		b = append(append(b, '\n'), p.sayMiddlebox(o.idleLimit, o.hz)...)
		b = append(b, '\n')
	}
	return b
}

// sayNow says where a live socket stands.
func sayNow(s *inventory.Socket) string {
	probes := func(n int) string {
		if n == 1 {
			return "1 probe is"
		}
		return fmt.Sprintf("%d probes are", n)
	}
	switch {
	case s.Has&inventory.HasUnanswered == 0:
		return fmt.Sprintf("now; the peer has been silent since 0s, for so long that the kernel's count of probes, %d, may have begun anew after 255", s.ProbesOut)
	case s.Unanswered > s.SinceHeard:
		return fmt.Sprintf("now; the peer was last heard at 0s, but the kernel still counts %d probes from before; %s out since", s.Unanswered-s.SinceHeard, probes(s.SinceHeard))
	}
	return "now; the peer has been silent since 0s, " + probes(s.Unanswered) + " out"
}

// A timeline of many probes is shown by its beginning and its end.
const (
	headSteps = 10
	tailSteps = 3 // the giving up included
)

func (p *prediction) skipped() int {
	if n := p.line.Probes + 1 - headSteps - tailSteps; n > 1 {
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
	var b strings.Builder
	fmt.Fprintf(&b, "TCP_USER_TIMEOUT decides, TCP_KEEPCNT %d does not", s.Count)
	switch {
	case p.socket == nil:
		fmt.Fprintf(&b, ": given up with %d unanswered", p.line.Probes)
	case p.socket.Has&inventory.HasUnanswered != 0:
		fmt.Fprintf(&b, ": given up with %d unanswered", p.socket.SinceHeard+p.line.Probes)
	}
	b.WriteString(".\n")
	if s.UserTimeout <= s.Idle && p.socket == nil {
		b.WriteString("It is over before the first probe, but one probe has to be out: the second firing gives up.\n")
	}
	from := 0
	if p.socket == nil || p.socket.ProbesOut == 0 {
		from = 1 // the first firing sends a probe, however late it is
	}
	if step, ok := p.line.Reaches(from, s.UserTimeout); ok && step.At < s.UserTimeout {
		fmt.Fprintf(&b, "Where timers are late, the firing due after %s may be the one that gives up.\n", exact(step.At))
	}
	return b.String()
}

func userTimeoutWord(d time.Duration) string {
	if d == 0 {
		return "not set"
	}
	return settingWord(d)
}

// settingWord says a setting, exactly.
func settingWord(d time.Duration) string { return string(events.AppendSetting(nil, d)) }

// exact says a time to the tenth of a second, for figures that are compared:
// 2h11m15s, 350s, 2.5s.
func exact(d time.Duration) string {
	d = d.Round(100 * time.Millisecond)
	if d < 10*time.Minute {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	return d.Round(time.Second).String()
}
