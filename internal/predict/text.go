// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/inventory"
)

// AppendText appends the timeline for people.
func (p *Prediction) AppendText(b []byte) []byte {
	s := &p.Settings
	if p.Socket != nil {
		b = fmt.Appendf(b, "%s > %s, %s\n", p.Socket.Local, p.Socket.Remote, p.Socket.Holder())
	}
	b = fmt.Appendf(b, "idle %s (%s), interval %s (%s), count %d (%s), user timeout %s\n\n",
		conn.Exact(s.Idle), p.source(conn.SettingIdle), conn.Exact(s.Interval), p.source(conn.SettingInterval),
		s.Count, p.source(conn.SettingCount), userTimeoutWord(s.UserTimeout))
	if p.stalled() {
		b = p.appendStalled(b)
	} else {
		b = p.appendTimeline(b)
	}
	if p.Limit.Forgets > 0 {
		b = append(append(b, '\n'), p.middlebox()...)
		b = append(b, '\n')
	}
	return b
}

// appendTimeline appends the firings to come, and what people do not expect of them.
func (p *Prediction) appendTimeline(b []byte) []byte {
	b = fmt.Appendf(b, "%12s  %13s\n", "AFTER", "AT THE LATEST")
	if p.Socket == nil {
		b = fmt.Appendf(b, "%12s  %13s  the last segment from the peer\n", "0s", "")
	} else {
		b = fmt.Appendf(b, "%12s  %13s  %s\n", conn.AppendSpan(nil, p.Socket.IdleFor), "", sayNow(p.Socket))
	}
	skipped := p.skipped()
	for i := 0; i <= p.Line.Probes; i++ {
		if skipped > 0 && i == headSteps {
			b = fmt.Appendf(b, "%12s  %13s  %d more probes, one every %s\n", "...", "", skipped, conn.Exact(p.Line.Every))
			i += skipped - 1
			continue
		}
		step := p.Line.Step(i)
		b = fmt.Appendf(b, "%12s  %13s  %s\n", exact(step.At), exact(step.Latest), p.say(step))
	}
	if note := p.note(); note != "" {
		b = append(append(b, '\n'), note...)
	}
	if p.armed() {
		b = append(append(append(b, "\nThe timer was armed before the change, for longer than the settings in force say, and runs on until "...), conn.Rearm...), ".\n"...)
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
	case s.Has&conn.HasUnanswered == 0:
		return fmt.Sprintf("now; the peer has been silent since 0s, for so long that the kernel's count of probes, %d, may have begun anew after 255", s.ProbesOut)
	case s.Unanswered > s.SinceHeard:
		return fmt.Sprintf("now; the peer was last heard at 0s, but the kernel still counts %d probes from before; %s out since", s.Unanswered-s.SinceHeard, probes(s.SinceHeard))
	case s.Unanswered == 0:
		return "now; the peer was last heard at 0s, no probe is out"
	}
	return "now; the peer has been silent since 0s, " + probes(s.Unanswered) + " out"
}

// A timeline of many probes is shown by its beginning and its end.
const (
	headSteps = 10
	tailSteps = 3 // the giving up included
)

func (p *Prediction) skipped() int {
	if n := p.Line.Probes + 1 - headSteps - tailSteps; n > 1 {
		return n
	}
	return 0
}

func (p *Prediction) say(step conn.Step) string {
	switch {
	case step.Probe == 0:
		return "gives up: sends RST; the application reads ETIMEDOUT"
	case p.Settings.UserTimeout != 0:
		return fmt.Sprintf("probe %d", step.Probe)
	}
	return fmt.Sprintf("probe %d/%d", step.Probe, p.Settings.Count)
}

func (p *Prediction) source(one conn.Setting) string {
	switch {
	case p.Settings.Own()&one != 0 && p.Socket == nil:
		return "given"
	case p.Settings.Own()&one != 0:
		return "set"
	case p.Settings.Inherited&one != 0:
		return "sysctl"
	}
	return "set or sysctl"
}

// note says what people do not expect of TCP_USER_TIMEOUT.
func (p *Prediction) note() string {
	s := &p.Settings
	if s.UserTimeout == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "TCP_USER_TIMEOUT decides, TCP_KEEPCNT %d does not", s.Count)
	switch {
	case p.Socket == nil:
		fmt.Fprintf(&b, ": given up with %d unanswered", p.Line.Probes)
	case p.Socket.Has&conn.HasUnanswered != 0:
		fmt.Fprintf(&b, ": given up with %d unanswered", p.Socket.SinceHeard+p.Line.Probes)
	}
	b.WriteString(".\n")
	if s.UserTimeout <= s.Idle && p.Socket == nil {
		b.WriteString("It is over before the first probe, but one probe has to be out: the second firing gives up.\n")
	}
	from := 0
	if p.Socket == nil || p.Socket.ProbesOut == 0 {
		from = 1 // the first firing sends a probe, however late it is
	}
	if step, ok := p.Line.Reaches(from, s.UserTimeout); ok && step.At < s.UserTimeout {
		fmt.Fprintf(&b, "Where timers are late, the firing due after %s may be the one that gives up.\n", exact(step.At))
	}
	return b.String()
}

func userTimeoutWord(d time.Duration) string {
	if d == 0 {
		return "not set"
	}
	return conn.Exact(d)
}

// exact says a time to the tenth of a second, or to the second where it is long.
func exact(d time.Duration) string {
	to := 100 * time.Millisecond
	if d >= 10*time.Minute {
		to = time.Second
	}
	return conn.Exact(d.Round(to))
}
