// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// full is a backend that knows everything, asked for --all.
var full = Backend{SendErrors: true, ICMP: true, RST: true, Probed: true, ProbedByte: true, DropReasons: true, WindowProbes: true, TimerReasons: true, PromptAnswers: true}

// backends are those that an agreeing stream is made for.
var backends = map[string]Backend{
	"full":         full,
	"without all":  {SendErrors: true, ICMP: true, RST: true, Probed: true, ProbedByte: true, PromptAnswers: true},
	"late answers": {SendErrors: true, ICMP: true, RST: true, Probed: true, ProbedByte: true, TimerReasons: true},
	"tracepoint":   {Probed: true, ProbedByte: true, DropReasons: true, TimerReasons: true},
	"exact":        {TimerReasons: true, PromptAnswers: true},
	"the least":    {},
}

// TestJudgeAgrees: what a faithful tracer tells is agreed with, whatever its
// backend can know.
func TestJudgeAgrees(t *testing.T) {
	for backend, can := range backends {
		for _, name := range Names() {
			o, evs := truth(t, name, can)
			row := Judge(o, evs, events.Lost{}, can)
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
	for _, l := range slices.Concat(liesAboutIdentity, liesAboutProbes, liesAboutHeard, liesAboutRST, liesAboutDrops, liesAboutEnds, liesAboutOtherEnds, liesAboutSuspension, failedStagings) {
		t.Run(l.name+": "+l.want, func(t *testing.T) {
			o, evs := truth(t, l.name, l.can)
			if row := Judge(o, evs, events.Lost{}, l.can); !row.Agrees {
				t.Fatalf("disagrees with the truth: %q", row.Why)
			}
			l.tell(&o, &evs)
			row := Judge(o, evs, events.Lost{}, l.can)
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
	if row := Judge(Outcome{Case: "nonsense"}, nil, events.Lost{}, full); row.Agrees || len(row.Why) != 1 {
		t.Errorf("row %+v", row)
	}
}

func TestJudgeSilence(t *testing.T) {
	o, _ := truth(t, "vanished", full)
	row := Judge(o, nil, events.Lost{}, full)
	if row.Agrees || row.Said != "nothing" {
		t.Errorf("row %+v", row)
	}
}

// TestJudgeReply: the peer probed by itself before it answered the probe; the exact round
// trip is of the answer.
func TestJudgeReply(t *testing.T) {
	o, evs := truth(t, "windows-probe", full)
	p := &o.Captured.Probes[0]
	p.Data, p.Reply = true, p.Answer.Add(time.Second)
	for i := range evs {
		if e := &evs[i]; e.Kind == events.KindAnswer {
			e.RTT, e.RTTExact, e.Has = p.Reply.Sub(p.Time), true, e.Has|events.HasRTT
		}
	}
	if row := Judge(o, evs, events.Lost{}, full); !row.Agrees {
		t.Errorf("disagrees with the answer's round trip: %q", row.Why)
	}
	p.Reply = p.Reply.Add(time.Second)
	if Judge(o, evs, events.Lost{}, full).Agrees {
		t.Error("agrees with a round trip that is 1s shorter than the answer's")
	}
}

// TestJudgeClosing: an answer that comes when this side's FIN is out may acknowledge that:
// no round trip is said.
func TestJudgeClosing(t *testing.T) {
	o, evs := truth(t, "alive", full)
	answer := slices.IndexFunc(evs, func(e events.Event) bool { return e.Kind == events.KindAnswer })
	evs[answer].Has, evs[answer].RTTExact = evs[answer].Has&^events.HasRTT, false
	if Judge(o, evs, events.Lost{}, full).Agrees {
		t.Error("agrees with an answer that does not say its round trip")
	}
	o.Closing = evs[answer].Time
	if row := Judge(o, evs, events.Lost{}, full); !row.Agrees {
		t.Errorf("disagrees with an answer while the connection closes: %q", row.Why)
	}
}

// TestJudgeTimer: a firing that probes nothing, as a process holds the socket, counts the
// probes before the answer that is only queued then (sk_backlog).
func TestJudgeTimer(t *testing.T) {
	can := full
	can.Slack = time.Second
	for _, test := range []struct {
		kind       events.Kind
		reason     events.Reason
		after      time.Duration // of the answer's segment
		unanswered int
		want       bool
	}{
		{events.KindTimer, events.ReasonSocketBusy, time.Minute, 2, true},
		{events.KindTimer, events.ReasonSocketBusy, time.Minute, 0, true},
		{events.KindTimer, events.ReasonSocketBusy, time.Minute, 1, false},
		{events.KindTimer, events.ReasonNotIdle, -can.Slack / 2, 2, true},
		{events.KindTimer, events.ReasonNotIdle, can.Slack / 2, 2, true}, // on another processor, or by clocks that differ
		{events.KindTimer, events.ReasonNotIdle, time.Minute, 2, false},
		{events.KindPeerReset, 0, can.Slack / 2, 2, false}, // no firing
	} {
		o, evs := truth(t, "probes-ignored", can)
		p := o.Captured.Probes[1]
		next := slices.IndexFunc(evs, func(e events.Event) bool { return e.Kind == events.KindAnswer })
		timer := evs[next]
		timer.Kind, timer.Verdict, timer.Reason = test.kind, 0, test.reason
		timer.Time, timer.Unanswered, timer.Has = p.Answer.Add(test.after), test.unanswered, timer.Has|conn.HasUnanswered
		evs = slices.Insert(evs, next, timer)
		row := Judge(o, evs, events.Lost{}, can)
		if slices.ContainsFunc(row.Why, func(why string) bool { return strings.HasPrefix(why, test.kind.String()+" event says") }) == test.want {
			t.Errorf("%+v: %q", test, row.Why)
		}
	}
	// No probe was answered, for none was on the wire: none is uncounted.
	o, evs := truth(t, "neighbour-gone", can)
	last := slices.IndexFunc(evs, func(e events.Event) bool { return e.Kind == events.KindReset })
	timer := evs[last]
	timer.Kind, timer.Verdict, timer.Reason, timer.Unanswered = events.KindTimer, 0, events.ReasonSocketBusy, 0
	if Judge(o, slices.Insert(evs, last, timer), events.Lost{}, can).Agrees {
		t.Error("agrees that none is unanswered where no probe was answered")
	}
}

// TestJudgeLateICMP: on a slow machine ARP fails for the last probe when the connection has
// been given up. Nobody is told of that error.
func TestJudgeLateICMP(t *testing.T) {
	o, evs := truth(t, "neighbour-gone", full)
	last := 0
	for i, e := range evs {
		if e.Kind == events.KindICMP {
			last = i
		}
	}
	evs = slices.Delete(evs, last, last+1)
	if Judge(o, evs, events.Lost{}, full).Agrees {
		t.Error("agrees that an error before the end is not told")
	}
	o.Captured.ICMP[len(o.Captured.ICMP)-1].Time = evs[len(evs)-1].Time.Add(time.Second)
	if row := Judge(o, evs, events.Lost{}, full); !row.Agrees {
		t.Errorf("disagrees where the last error comes after the end: %q", row.Why)
	}
}

// TestAgain: a case is staged again where the staging failed, or where katrace
// itself missed a firing; never for what it said wrong.
func TestAgain(t *testing.T) {
	o, evs := truth(t, "vanished", full)
	lied := slices.Clone(evs)
	nth(events.KindProbe, 1, func(e *events.Event) { e.Unanswered = 1 })(nil, &lied)
	late := o
	late.Errno = unix.ECONNRESET
	for _, test := range []struct {
		what string
		row  Row
		lost events.Lost
		want string
	}{
		{"agrees", Judge(o, evs, events.Lost{}, full), events.Lost{}, ""},
		{"agrees, other firings were missed", Judge(o, evs, events.Lost{}, full), events.Lost{Missed: 5}, ""},
		{"a lie", Judge(o, lied, events.Lost{}, full), events.Lost{}, ""},
		{"a lie, records were lost for want of room", Judge(o, lied, events.Lost{}, full), events.Lost{Ring: 1, Follow: 1}, ""},
		{"no events, some were missed", Judge(o, nil, events.Lost{}, full), events.Lost{Missed: 1}, "a firing was hidden by this kernel"},
		{"no reset, a program was skipped", Judge(o, lied, events.Lost{}, full), events.Lost{Skipped: events.Skipped{Closed: 1}}, "what came beside the firings was hidden by this kernel"},
		{"another errno", Judge(late, evs, events.Lost{}, full), events.Lost{}, "the staging failed"},
	} {
		if got := test.row.Again(test.lost); got != test.want {
			t.Errorf("%s: staged again because %q, not %q", test.what, got, test.want)
		}
	}
}

// TestJudgeMissing: probes may be missing that katrace itself reported as missed,
// no more than these, and what it tells of the others is held against all there were.
func TestJudgeMissing(t *testing.T) {
	hidden := func(name string, probes ...int) (Outcome, []events.Event) {
		o, evs := truth(t, name, full)
		n := 0
		evs = slices.DeleteFunc(evs, func(e events.Event) bool {
			if e.Kind != events.KindProbe {
				return false
			}
			n++
			return slices.Contains(probes, n)
		})
		return o, evs
	}
	wrap := nth(events.KindProbe, 300, func(e *events.Event) { e.Unanswered-- })
	for _, test := range []struct {
		name   string
		hidden []int
		missed uint64
		lie    func(*Outcome, *[]events.Event)
		want   string
	}{
		{"beyond-255", []int{1, 200, 201, 299}, 4, nil, ""},
		{"beyond-255", []int{1, 200, 201, 299}, 9, nil, ""},
		{"beyond-255", []int{450}, 1, nil, ""},
		{"vanished", []int{2}, 1, nil, ""},
		{"beyond-255", []int{1, 200, 201, 299}, 3, nil, "446 probe events and 3 reported as missed, the kernel counts 450"},
		{"beyond-255", []int{1, 200, 201, 299}, 0, nil, "446 probe events, the kernel counts 450"},
		{"beyond-255", []int{200}, 1, wrap, "probe 301 says 301 unanswered, not 302"},
		{"beyond-255", nil, 1, with(events.KindProbe, nil), "451 probe events, the kernel counts 450"},
		{"vanished", []int{2}, 1, without(events.KindReset), "0 reset events"},
	} {
		o, evs := hidden(test.name, test.hidden...)
		if test.lie != nil {
			test.lie(&o, &evs)
		}
		row := Judge(o, evs, events.Lost{Missed: test.missed}, full)
		if why := strings.Join(row.Why, "; "); row.Agrees != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%s without %v, %d missed: %q, not %q", test.name, test.hidden, test.missed, why, test.want)
		}
		if said := fmt.Sprintf("%d reported as missed", len(test.hidden)); row.Agrees && !strings.Contains(row.Said, said) {
			t.Errorf("%s without %v: said %q, nothing with %q", test.name, test.hidden, row.Said, said)
		}
	}
}

// TestSlack: the same lateness is right or wrong by the slack alone.
func TestSlack(t *testing.T) {
	o, evs := truth(t, "vanished", full)
	o.Captured.Reset = o.Captured.Reset.Add(2 * time.Second)
	evs[len(evs)-1].Time = o.Captured.Reset
	if Judge(o, evs, events.Lost{}, full).Agrees {
		t.Error("agrees with a prediction that is off by 2s")
	}
	loose := full
	loose.Slack = 3 * time.Second
	if row := Judge(o, evs, events.Lost{}, loose); !row.Agrees {
		t.Errorf("disagrees within the slack: %q", row.Why)
	}
}

func TestSort(t *testing.T) {
	id := conn.ID{Netns: 7, Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:2")}
	event := func(netns uint32, local, remote netip.AddrPort, kind events.Kind) events.Event {
		return events.Event{State: conn.State{Netns: netns, Local: local, Remote: remote}, Kind: kind}
	}
	byCase, strays := Sort([]events.Event{
		event(7, id.Local, id.Remote, events.KindProbe),
		event(7, id.Remote, id.Local, events.KindProbed), // the peer's side: right
		event(7, id.Remote, id.Local, events.KindReset),  // the peer's side: wrong
		event(8, id.Local, id.Remote, events.KindProbe),  // somebody else's
		event(7, netip.AddrPortFrom(id.Local.Addr(), 0), id.Remote, events.KindReset),
	}, []Conn{{Case: "vanished", ID: id}})
	if len(byCase) != 1 || len(byCase["vanished"]) != 1 {
		t.Errorf("by case: %v", byCase)
	}
	if len(strays) != 2 || strays[0].Kind != events.KindReset || strays[1].Kind != events.KindReset {
		t.Errorf("strays: %v", strays)
	}
}

// TestFINInFlight: a firing that finds this side's FIN on its way is right, at any
// other time data in flight is not.
func TestFINInFlight(t *testing.T) {
	closing := time.Unix(1e9, 0)
	for _, tt := range []struct {
		after time.Duration
		state conn.TCPState
		want  bool
	}{
		{-time.Second, conn.TCPEstablished, false},
		{-time.Second, conn.TCPFinWait1, false},
		{-10 * time.Millisecond, conn.TCPEstablished, true},
		{0, conn.TCPEstablished, true},
		{100 * time.Millisecond, conn.TCPEstablished, true},
		{time.Second, conn.TCPEstablished, false},
		{time.Second, conn.TCPFinWait1, true}, // a slow machine
		{time.Second, conn.TCPLastAck, true},
	} {
		e := events.Event{State: conn.State{TCPState: tt.state}, Time: closing.Add(tt.after), Kind: events.KindTimer, Reason: events.ReasonDataInFlight}
		if got := (Outcome{Closing: closing}).finInFlight(&e); got != tt.want {
			t.Errorf("%s after the close, %s: %v", tt.after, tt.state, got)
		}
		if (Outcome{}).finInFlight(&e) {
			t.Errorf("not closed")
		}
	}
}
