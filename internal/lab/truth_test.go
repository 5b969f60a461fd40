// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// scripts say what becomes of each probe: a answered, s silent, r reset by the
// peer, d silent until the peer sends data by itself, w silent until it acknowledges
// data that the application sends, e not sent for want of a
// route, f refused by the own firewall, c not sent for want of room, x not sent and
// the kernel does not know.
var scripts = map[string]string{
	"alive": "aaa", "proxy": "aa", "late-on": "a", "vanished": "sss", "forgotten": "ar", "unreachable": "sss", "route-gone": "eee",
	"user-timeout": "ss", "inherited": "sss", "ipv6-vanished": "sss", "mapped-vanished": "sss", "half-closed": "sss",
	"unacked-data": "", "zero-window": "", "recovers": "ssaa", "congested": "cccaa",
	"abort": "a", "unread-close": "a", "fin-wait2-orphan": "a", "fin-wait2-timeout": "a",
	"ipv6-unreachable": "sss", "syn-sent": "", "close-wait": "sss", "close-wait-forgotten": "r", "fin-wait1": "", "last-ack": "",
	"time-wait": "a", "link-down": "eee", "peer-netns-gone": "eee", "no-carrier": "xxx", "repair": "aaa", "mptcp": "sss", "mptcp-data": "",
	"beyond-255": strings.Repeat("s", 450), "peer-aborts": "r", "own-firewall": "af", "stray-data": "da",
	"heard-by-data": "ssdss", "probes-ignored": "swsssss", "windows-probe": "a",
	"answers-dropped": "sss", "ipv6-answers-dropped": "sss", "answers-filtered": "sss", "probes-dropped": "fff",
	"tc-ingress": "sss", "tc-egress": "cccaa", "rp-filter": "sss", "rolled-back": "sss", "full-capture": "sss",
	"md5": "sss", "neighbour-gone": "xxx",
	"data-answers-dropped": "", "data-retries2": "", "data-resumes": "a", "data-user-timeout": "", "window-user-timeout": "", "window-retries2": "",
	"idle-abort": "", "idle-middlebox": "", "data-own-firewall": "", "destroyed": "",
}

// routerSays is what a router says to each probe.
var routerSays = map[conn.Family]ICMPSeen{
	conn.IPv4: {Type: 3, Code: 1, From: netip.MustParseAddr("192.0.2.254")},
	conn.IPv6: {Type: 1, Code: 0, From: netip.MustParseAddr("2001:db8:1::fe")},
}

// truth makes an outcome of a case, and the events that a faithful tracer with
// that backend would tell.
func truth(t *testing.T, name string, can Backend) (Outcome, []events.Event) {
	t.Helper()
	picked, err := ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	c := picked[0]
	o := Outcome{
		Case:  name,
		Conn:  conn.ID{Netns: 4026532001, Local: netip.MustParseAddrPort("192.0.2.1:5432"), Remote: netip.MustParseAddrPort("192.0.2.2:40122")},
		Inode: 81932, PID: 812, Begun: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Errno: c.Expect.Errno,
		Subflow: c.proto == unix.IPPROTO_MPTCP,
	}
	var evs []events.Event
	tell := func(at time.Time, kind events.Kind) *events.Event {
		evs = append(evs, events.Event{
			State: conn.State{Netns: o.Conn.Netns, Local: o.Conn.Local, Remote: o.Conn.Remote, Family: c.Family, Inode: o.Inode, TCPState: c.Expect.State, Keepalive: c.Setting, Has: conn.HasKeepalive, Owner: conn.Owner{Process: conn.Process{PID: o.PID}}},
			Time:  at,
			Kind:  kind,
		})
		return &evs[len(evs)-1]
	}
	script := scripts[name]
	at := firings(c.Setting, script)
	var died time.Duration // since Begun, where the timer gives up
	if c.Expect.End == ByKeepalive {
		died = at[len(script)]
	}
	// foresee says when the timer fires next, and when the kernel gives up.
	foresee := func(e *events.Event, next time.Duration) {
		e.Next, e.Has = next, e.Has|conn.HasNext
		e.DiesIn, e.Has = died-e.Time.Sub(o.Begun), e.Has|conn.HasDiesIn
	}
	e := tell(o.Begun, events.KindEnabled)
	e.ArmedBeforeChange = c.late > 0
	if died > 0 {
		foresee(e, c.Setting.Idle)
	}
	now, heard := o.Begun, o.Begun
	unanswered, silent := 0, 0 // by the kernel's count; since the peer was heard
	var late *Probe            // answered, and the backend does not know yet
	answer := func(at time.Time, p *Probe) *events.Event {
		e := tell(at, events.KindAnswer)
		e.Verdict = events.VerdictAlive
		if p.Answer.Sub(p.Time) < dataAfter { // of the probe, and of nothing later
			e.RTT, e.RTTExact = p.Answer.Sub(p.Time), can.PromptAnswers
			e.Has |= events.HasRTT
		}
		return e
	}
	drops := func(at time.Time) {
		for _, d := range c.Expect.Dropped {
			if (can.DropReasons || d.Here) && (can.SendErrors || !d.Refused) {
				e := tell(at, events.KindDropped)
				e.Drop = events.Drop{Direction: d.Direction, Text: "something", Where: "somewhere"}
				if can.DropReasons {
					e.Drop.Reason = d.Reasons[0]
				}
			}
		}
	}
	for i, what := range script {
		now = o.Begun.Add(at[i])
		if late != nil {
			answer(now, late)
			late = nil
		}
		o.KeepaliveCount++
		if i == strings.IndexAny(script, "scfx")+1 { // a silence has begun
			drops(now)
		}
		if what == 'c' && !can.SendErrors {
			continue
		}
		e := tell(now, events.KindProbe)
		e.Seq, e.IdleFor = 1000, now.Sub(heard)
		e.Has |= events.HasSeq | conn.HasIdleFor | conn.HasUnanswered
		if what == 'c' {
			e.SendError, e.Verdict, e.Next = events.Congested, events.VerdictCongested, 500*time.Millisecond
			e.Has |= conn.HasNext
			continue
		}
		unanswered++
		silent++
		e.Unanswered = unanswered
		foresee(e, max(c.Setting.Interval, at[i+1]-at[i]))
		if what == 'd' || what == 'w' {
			e.Next = time.Second
		}
		switch {
		case what == 'e' && can.SendErrors:
			e.SendError, e.Verdict = "EHOSTUNREACH", events.VerdictUnreachable
		case what == 'f' && can.SendErrors:
			e.SendError, e.Verdict = "EPERM", events.VerdictUnreachable
		case silent > 1:
			e.Verdict = events.VerdictSilent
		}
		if c.Expect.ICMP {
			seen := routerSays[c.Family]
			seen.Time, o.Router = now, seen.From
			o.Captured.ICMP = append(o.Captured.ICMP, seen)
			if can.ICMP {
				e := tell(now, events.KindICMP)
				e.ICMP, e.Verdict = events.ICMP{Type: seen.Type, Code: seen.Code, From: seen.From}, events.VerdictUnreachable
			}
		}
		if strings.ContainsRune("efx", what) {
			continue
		}
		o.Captured.Probes = append(o.Captured.Probes, Probe{Segment: Segment{Time: now, Seq: 1000}, Heard: heard})
		p := &o.Captured.Probes[len(o.Captured.Probes)-1]
		switch what {
		case 'r':
			p.Answer, p.Reset = now.Add(100*time.Microsecond), true
		case 'a', 'd', 'w':
			p.Answer, p.Data = now.Add(100*time.Microsecond), what == 'd'
			if what != 'a' {
				p.Answer = now.Add(dataAfter)
			}
			heard, o.Captured.Heard = p.Answer, p.Answer
			silent = 0
			if !c.Expect.KeepCount {
				unanswered = 0
			}
			if can.PromptAnswers {
				answer(p.Answer, p)
			} else if late = p; what != 'a' { // the timer fires before it is idle
				foresee(answer(now.Add(time.Second), p), dataAfter)
				late = nil
			}
			if what != 'a' && can.TimerReasons {
				e := tell(now.Add(time.Second), events.KindTimer)
				e.Reason, e.Unanswered, e.Has = events.ReasonNotIdle, unanswered, e.Has|conn.HasUnanswered
				foresee(e, dataAfter)
			}
		}
	}
	for i := range c.Expect.Probed.Min {
		now = now.Add(50 * time.Millisecond)
		p := Probe{Segment: Segment{Time: now}, Data: i == 0}
		o.Captured.Probed = append(o.Captured.Probed, p)
		if p.Data && can.ProbedByte || !p.Data && can.Probed {
			tell(now, events.KindProbed)
		}
	}
	if c.Expect.WindowProbes {
		o.Captured.WindowProbes = append(o.Captured.WindowProbes, Segment{Time: now, Seq: 1000})
		if can.WindowProbes {
			tell(now, events.KindWindowProbe).Verdict = events.VerdictSuspended
		}
	}
	if c.Expect.Timer != 0 && can.TimerReasons {
		now = now.Add(time.Second)
		e := tell(now, events.KindTimer)
		e.Reason = c.Expect.Timer
		if e.Reason == events.ReasonDataInFlight {
			e.Verdict = events.VerdictSuspended
		}
	}
	if c.Expect.Timer == events.ReasonDataInFlight {
		e := tell(now, events.KindSuspended)
		e.WaitsFor, e.Verdict = conn.WaitsRetransmission, events.VerdictSuspended
		if c.Expect.WindowProbes {
			e.WaitsFor = conn.WaitsWindowProbe
		}
		if e.WaitsFor == conn.WaitsRetransmission || c.Setting.UserTimeout > 0 {
			e.DiesIn, e.Has = max(0, c.Expect.After-now.Sub(o.Begun)), e.Has|conn.HasDiesIn
		}
		drops(now)
		if c.Expect.Resumes {
			tell(now, events.KindResumed).Verdict = events.VerdictAlive
		}
	}
	o.Captured.ResetsOut = c.Expect.ResetsOut.Min
	switch c.Expect.End {
	case ByKeepalive:
		o.EndedAfter = died
		if c.Expect.ResetsOut.Min > 0 {
			o.Captured.Reset = o.Begun.Add(died)
		}
		e := tell(o.Begun.Add(died), events.KindReset)
		e.Errno, e.Reason, e.Verdict = unix.ErrnoName(o.Errno), c.Expect.Reason, events.VerdictTimedOut
		e.Unanswered, e.Has = unanswered, e.Has|conn.HasUnanswered
		if (c.Expect.ICMP && can.ICMP) || (strings.ContainsRune("ef", rune(script[0])) && can.SendErrors) {
			e.Verdict = events.VerdictUnreachable
		}
	case ByPeer, ByHost:
		o.EndedAfter = now.Sub(o.Begun)
		if c.Expect.End == ByPeer {
			o.Captured.ResetsIn, o.Captured.Reset, o.Captured.RST = 1, now, c.Expect.RST
		}
		e := tell(now, events.KindPeerReset)
		e.Errno, e.Verdict = unix.ErrnoName(o.Errno), events.VerdictReset
		e.Unanswered, e.Has = unanswered, e.Has|conn.HasUnanswered
		if can.RST {
			e.RST, e.Verdict = c.Expect.RST, c.Expect.Verdict
		}
	case ByOther:
		o.EndedAfter = max(now.Sub(o.Begun), c.Expect.After)
		now = o.Begun.Add(o.EndedAfter)
		e := tell(now, events.KindEnded)
		e.Errno, e.By, e.Reason, e.Verdict = unix.ErrnoName(o.Errno), c.Expect.By, c.Expect.Reason, c.Expect.Verdict
		e.Unacked, e.Has = uint32(c.Expect.Unacked.Min), e.Has|conn.HasUnacked|conn.HasIdleFor
		e.RST = c.Expect.RST
		switch e.By {
		case events.ByRetransmission:
			o.Captured.Retransmits, e.Retransmits = 4, 3
		case events.ByPeer:
			o.Captured.ResetsIn, o.Captured.Reset, o.Captured.RST = 1, now, c.Expect.RST
		default: // nothing of it is on the wire
		}
		if c.Expect.RST != 0 && !can.RST {
			e.By, e.RST, e.Verdict = events.ByPeer, 0, events.VerdictReset
		}
	case ByLab:
		e := tell(now, events.KindClosed)
		e.Inode, e.TCPState = 0, 0
	}
	return o, evs
}

// dataAfter is when data moves, after a probe that the peer did not get.
const dataAfter = 200 * time.Millisecond

// firings are the times of a script's probes, since keepalive was switched on,
// and of the firing after them.
func firings(s conn.Settings, script string) (at []time.Duration) {
	now := s.Idle
	for _, what := range script {
		at = append(at, now)
		switch {
		case what == 'c':
			now += 500 * time.Millisecond
		case what == 'd', what == 'w':
			now += dataAfter + s.Idle
		case what == 'a':
			now += s.Idle
		case s.Interval == 0:
			now += 4 * time.Millisecond // a tick
		default:
			now += s.Interval
		}
	}
	return append(at, now)
}
