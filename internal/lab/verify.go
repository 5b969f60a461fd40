// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// DefaultSlack is how late a timer may be, or how far a prediction off, on a
// machine that is not busy and keeps time.
const DefaultSlack = 500 * time.Millisecond

// Verify holds the three witnesses against what the case expects of the kernel,
// and against each other; katrace has no part in it. It returns each
// disagreement in words: then the staging failed, and nothing that was said
// about the connection can be judged.
func (o Outcome) Verify(slack time.Duration) []string {
	c, ok := find(Cases(), o.Case)
	if !ok {
		return []string{fmt.Sprintf("no case %q", o.Case)}
	}
	return o.verify(c.Expect, c.Setting.Interval, slack)
}

func (o Outcome) verify(e Expect, interval, slack time.Duration) (why []string) {
	no := func(format string, args ...any) { why = append(why, fmt.Sprintf(format, args...)) }
	seen := &o.Captured

	if o.Failed != nil {
		no("%v", o.Failed)
	}
	if o.Errno != e.Errno {
		no("the application read %s, not %s", errnoName(o.Errno), errnoName(e.Errno))
	}
	if o.Errno != 0 && e.After != 0 {
		// Timers round to a jiffy, and only ever up.
		if early := e.After - o.EndedAfter; early > 10*time.Millisecond {
			no("the application read %s after %v, %v early", errnoName(o.Errno), round(o.EndedAfter), round(early))
		}
		took := o.Died().Sub(o.Begun)
		if late := took - e.After; late > slack+e.After/10 && e.End == ByKeepalive {
			no("the connection ended after %v, %v late", round(took), round(late))
		}
	}
	// On a slow machine data may have been given up before keepalive was on.
	if o.Subflow && o.EndedAfter < e.After/2 {
		no("the subflow ended after %v", round(o.EndedAfter))
	}
	for _, count := range []struct {
		what string
		n    int
		want Range
	}{
		{"probes counted by the kernel", int(o.KeepaliveCount), e.Counted},
		{"probes captured", len(seen.Probes), e.Wire},
		{"answers captured", seen.Answers(), e.Answers},
		{"probes of the peer captured", len(seen.Probed), e.Probed},
		{"resets captured", seen.ResetsOut, e.ResetsOut},
		{"packets lost by the capture", int(seen.Dropped), exactly(0)},
	} {
		if !count.want.holds(count.n) {
			no("%d %s, not %s", count.n, count.what, count.want)
		}
	}
	if windowProbes := len(seen.WindowProbes) > 0; windowProbes != e.WindowProbes {
		no("%d zero-window probes captured", len(seen.WindowProbes))
	}
	if reset := seen.ResetsIn > 0; reset != (e.End == ByPeer || e.End == ByOther && e.By == events.ByPeer) {
		no("%d resets captured from the peer", seen.ResetsIn)
	} else if reset && seen.RST != e.RST {
		no("the captured reset is %q, not %q", seen.RST, e.RST)
	}
	if len(e.SendError) == 0 && !e.Swallowed && len(seen.Probes) != int(o.KeepaliveCount) {
		no("%d probes captured, %d counted", len(seen.Probes), o.KeepaliveCount)
	}
	if e.ICMP && len(seen.ICMP) < int(o.KeepaliveCount) {
		no("%d ICMP errors to %d probes", len(seen.ICMP), o.KeepaliveCount)
	}
	for _, i := range seen.ICMP {
		if e.ICMP && i.From != o.Router {
			no("ICMP error captured from %v, the router is %v", i.From, o.Router)
		}
	}
	if !e.ICMP && len(seen.ICMP) > 0 {
		no("%d ICMP errors captured", len(seen.ICMP))
	}
	why = append(why, verifySpacing(seen.Probes, interval)...)
	return why
}

// verifySpacing checks that probes are an interval apart at least. (Upwards
// there is no bound: an idle time counts from the last segment of the peer.)
func verifySpacing(probes []Probe, interval time.Duration) (why []string) {
	for i := 1; i < len(probes); i++ {
		apart := probes[i].Time.Sub(probes[i-1].Time)
		if apart < interval-20*time.Millisecond {
			why = append(why, fmt.Sprintf("probes %d and %d are %v apart, less than %v", i, i+1, round(apart), interval))
		}
	}
	return why
}

// errnoName is the errno's name, or "nothing".
func errnoName(e unix.Errno) string {
	if e == 0 {
		return "nothing"
	}
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(e))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
