// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// full is a backend that knows everything, asked for --all.
var full = Backend{SendErrors: true, ICMP: true, WindowProbes: true, TimerReasons: true, PromptAnswers: true}

// backends are those that an agreeing stream is made for.
var backends = map[string]Backend{
	"full":         full,
	"without all":  {SendErrors: true, ICMP: true, PromptAnswers: true},
	"late answers": {SendErrors: true, ICMP: true},
	"tracepoint":   {TimerReasons: true},
	"the least":    {},
}

// scripts say what becomes of each probe: a answered, s silent, r reset by the
// peer, e not sent for want of a route, c not sent for want of room, x not sent
// and the kernel does not know.
var scripts = map[string]string{
	"alive": "aaa", "vanished": "sss", "forgotten": "ar", "unreachable": "sss", "route-gone": "eee",
	"user-timeout": "ss", "inherited": "sss", "ipv6-vanished": "sss", "mapped-vanished": "sss", "half-closed": "sss",
	"unacked-data": "", "zero-window": "", "recovers": "ssaa", "congested": "cccaa",
	"abort": "a", "unread-close": "a", "fin-wait2-orphan": "a", "fin-wait2-timeout": "a",
	"ipv6-unreachable": "sss", "syn-sent": "", "close-wait": "sss", "close-wait-forgotten": "r", "fin-wait1": "", "last-ack": "",
	"time-wait": "a", "link-down": "eee", "peer-netns-gone": "eee", "no-carrier": "xxx", "repair": "aaa", "mptcp": "sss",
}

// routerSays is what a router says to each probe.
var routerSays = map[events.Family]ICMPSeen{
	events.IPv4: {Type: 3, Code: 1, From: netip.MustParseAddr("192.0.2.254")},
	events.IPv6: {Type: 1, Code: 0, From: netip.MustParseAddr("2001:db8:1::fe")},
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
		Conn:  events.Conn{Netns: 4026532001, Local: netip.MustParseAddrPort("192.0.2.1:5432"), Remote: netip.MustParseAddrPort("192.0.2.2:40122")},
		Inode: 81932, PID: 812, Begun: time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC), Errno: c.Expect.Errno,
		Subflow: c.proto == unix.IPPROTO_MPTCP,
	}
	var evs []events.Event
	tell := func(at time.Time, kind events.Kind) *events.Event {
		evs = append(evs, events.Event{
			Time: at, Kind: kind, Netns: o.Conn.Netns, Local: o.Conn.Local, Remote: o.Conn.Remote, Family: c.Family,
			Inode: o.Inode, State: c.Expect.State, Process: events.Process{PID: o.PID},
			Keepalive: c.Setting, Has: events.HasKeepalive,
		})
		return &evs[len(evs)-1]
	}
	tell(o.Begun, events.KindEnabled)
	now, heard, unanswered := o.Begun, o.Begun, 0
	var late *Probe // answered, and the backend does not know yet
	answer := func(at time.Time, p *Probe) {
		e := tell(at, events.KindAnswer)
		e.Verdict, e.RTT, e.RTTExact = events.VerdictAlive, p.Answer.Sub(p.Time), can.PromptAnswers
		e.Has |= events.HasRTT
	}
	script := scripts[name]
	for i, what := range script {
		step := time.Second
		if i > 0 && script[i-1] == 'c' {
			step = 500 * time.Millisecond
		}
		now = now.Add(step)
		if late != nil {
			answer(now, late)
			late = nil
		}
		o.KeepaliveCount++
		if what == 'c' && !can.SendErrors {
			continue
		}
		e := tell(now, events.KindProbe)
		e.Seq, e.IdleFor, e.Next = 1000, now.Sub(heard), c.Setting.Interval
		e.Has |= events.HasSeq | events.HasIdleFor | events.HasNext | events.HasUnanswered
		if what == 'c' {
			e.SendError, e.Verdict, e.Next = events.Congested, events.VerdictCongested, 500*time.Millisecond
			continue
		}
		unanswered++
		e.Unanswered = unanswered
		e.DiesIn = c.Expect.After - now.Sub(o.Begun)
		e.Has |= events.HasDiesIn
		switch {
		case what == 'e' && can.SendErrors:
			e.SendError, e.Verdict = "EHOSTUNREACH", events.VerdictUnreachable
		case unanswered > 1:
			e.Verdict = events.VerdictSilent
		}
		if what == 'e' || what == 'x' {
			continue
		}
		o.Captured.Probes = append(o.Captured.Probes, Probe{Segment: Segment{Time: now, Seq: 1000}, Heard: heard})
		p := &o.Captured.Probes[len(o.Captured.Probes)-1]
		if what == 'a' || what == 'r' {
			p.Answer, p.Reset = now.Add(100*time.Microsecond), what == 'r'
			heard = p.Answer
		}
		if what == 'a' {
			unanswered = 0
			if can.PromptAnswers {
				answer(p.Answer, p)
			} else {
				late = p
			}
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
	o.Captured.ResetsOut = c.Expect.ResetsOut.Min
	switch c.Expect.End {
	case ByKeepalive:
		o.ErrnoAfter = c.Expect.After
		if c.Expect.ResetsOut.Min > 0 {
			o.Captured.Reset = o.Begun.Add(o.ErrnoAfter)
		}
		e := tell(o.Begun.Add(c.Expect.After), events.KindReset)
		e.Errno, e.Reason, e.Verdict = unix.ErrnoName(o.Errno), c.Expect.Reason, events.VerdictTimedOut
		if (c.Expect.ICMP && can.ICMP) || (script[0] == 'e' && can.SendErrors) {
			e.Verdict = events.VerdictUnreachable
		}
	case ByPeer:
		o.ErrnoAfter = now.Sub(o.Begun)
		o.Captured.ResetsIn, o.Captured.Reset = 1, now
		e := tell(now, events.KindPeerReset)
		e.Errno, e.Verdict = unix.ErrnoName(o.Errno), events.VerdictForgotten
	case ByLab:
		e := tell(now, events.KindClosed)
		e.Inode, e.State = 0, 0
	}
	return o, evs
}

// TestJudgeAgrees: what a faithful tracer tells is agreed with, whatever its
// backend can know.
func TestJudgeAgrees(t *testing.T) {
	for backend, can := range backends {
		for _, name := range Names() {
			o, evs := truth(t, name, can)
			row := Judge(o, evs, can)
			if !row.Agrees || len(row.Why) != 0 {
				t.Errorf("%s, backend %s: %s", name, backend, strings.Join(row.Why, "; "))
			}
			if row.Case != name || row.Staged == "" || row.Said == "" || row.Wire != len(o.Captured.Probes) || row.Kernel != int(o.KeepaliveCount) {
				t.Errorf("%s: row %+v", name, row)
			}
		}
	}
}

// lie is one change to a faithful stream, or to what the witnesses saw.
type lie struct {
	name string // the case's
	can  Backend
	tell func(*Outcome, *[]events.Event)
	want string // what the judge has to say
}

// nth changes the nth event of a kind (from 0; -1: the last).
func nth(kind events.Kind, n int, change func(*events.Event)) func(*Outcome, *[]events.Event) {
	return func(_ *Outcome, evs *[]events.Event) {
		var found []int
		for i, e := range *evs {
			if e.Kind == kind {
				found = append(found, i)
			}
		}
		if n < 0 {
			n += len(found)
		}
		change(&(*evs)[found[n]])
	}
}

// without drops the events of a kind.
func without(kind events.Kind) func(*Outcome, *[]events.Event) {
	return func(_ *Outcome, evs *[]events.Event) {
		*evs = slices.DeleteFunc(*evs, func(e events.Event) bool { return e.Kind == kind })
	}
}

// with adds an event at the end, of that kind and else like the first one.
func with(kind events.Kind, change func(*events.Event)) func(*Outcome, *[]events.Event) {
	return func(_ *Outcome, evs *[]events.Event) {
		e := (*evs)[0]
		e.Kind, e.Time = kind, (*evs)[len(*evs)-1].Time
		if change != nil {
			change(&e)
		}
		*evs = append(*evs, e)
	}
}

// unsay takes a verdict away from all events that have it.
func unsay(v events.Verdict) func(*Outcome, *[]events.Event) {
	return func(_ *Outcome, evs *[]events.Event) {
		for i := range *evs {
			if (*evs)[i].Verdict == v {
				(*evs)[i].Verdict = 0
			}
		}
	}
}

// saw changes what the witnesses saw.
func saw(change func(*Outcome)) func(*Outcome, *[]events.Event) {
	return func(o *Outcome, _ *[]events.Event) { change(o) }
}

// TestJudgeDisagrees: the judge sees each single lie, and says which.
func TestJudgeDisagrees(t *testing.T) {
	for _, l := range slices.Concat(liesAboutIdentity, liesAboutProbes, liesAboutEnds, failedStagings) {
		t.Run(l.name+": "+l.want, func(t *testing.T) {
			o, evs := truth(t, l.name, l.can)
			if row := Judge(o, evs, l.can); !row.Agrees {
				t.Fatalf("disagrees with the truth: %q", row.Why)
			}
			l.tell(&o, &evs)
			row := Judge(o, evs, l.can)
			if row.Agrees {
				t.Fatalf("agrees with a lie; wanted %q", l.want)
			}
			if !slices.ContainsFunc(row.Why, func(why string) bool { return strings.Contains(why, l.want) }) {
				t.Errorf("says %q, nothing with %q", row.Why, l.want)
			}
		})
	}
}

func TestJudgeUnknownCase(t *testing.T) {
	if row := Judge(Outcome{Case: "nonsense"}, nil, full); row.Agrees || len(row.Why) != 1 {
		t.Errorf("row %+v", row)
	}
}

func TestJudgeSilence(t *testing.T) {
	o, _ := truth(t, "vanished", full)
	row := Judge(o, nil, full)
	if row.Agrees || row.Said != "nothing" {
		t.Errorf("row %+v", row)
	}
}

// TestSlack: the same lateness is right or wrong by the slack alone.
func TestSlack(t *testing.T) {
	o, evs := truth(t, "vanished", full)
	o.Captured.Reset = o.Captured.Reset.Add(2 * time.Second)
	evs[len(evs)-1].Time = o.Captured.Reset
	if Judge(o, evs, full).Agrees {
		t.Error("agrees with a prediction that is off by 2s")
	}
	loose := full
	loose.Slack = 3 * time.Second
	if row := Judge(o, evs, loose); !row.Agrees {
		t.Errorf("disagrees within the slack: %q", row.Why)
	}
}

func TestSort(t *testing.T) {
	conn := events.Conn{Netns: 7, Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:2")}
	event := func(netns uint32, local, remote netip.AddrPort, kind events.Kind) events.Event {
		return events.Event{Kind: kind, Netns: netns, Local: local, Remote: remote}
	}
	byCase, strays := Sort([]events.Event{
		event(7, conn.Local, conn.Remote, events.KindProbe),
		event(7, conn.Remote, conn.Local, events.KindProbed), // the peer's side: right
		event(7, conn.Remote, conn.Local, events.KindReset),  // the peer's side: wrong
		event(8, conn.Local, conn.Remote, events.KindProbe),  // somebody else's
		event(7, netip.AddrPortFrom(conn.Local.Addr(), 0), conn.Remote, events.KindReset),
	}, []Conn{{Case: "vanished", Conn: conn}})
	if len(byCase) != 1 || len(byCase["vanished"]) != 1 {
		t.Errorf("by case: %v", byCase)
	}
	if len(strays) != 2 || strays[0].Kind != events.KindReset || strays[1].Kind != events.KindReset {
		t.Errorf("strays: %v", strays)
	}
}
