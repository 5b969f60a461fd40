// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
)

// TestCases holds what katrace says of every case against the kernel's counter,
// a capture and the application's errno, for each backend; once as it is, and
// once with --rtt, where answers are told when they come. Every line of both
// is held against the schema, and against what beside the timer there was. With
// --changes it says of each the same as without, of what changes anything.
func TestCases(t *testing.T) {
	s := stageAll(t)
	for _, by := range backends() {
		t.Run(string(by), func(t *testing.T) {
			for _, c := range lab.Cases() {
				t.Run(c.Name, func(t *testing.T) {
					s.skipImpossible(t, c.Name)
					r := s.said[by][c.Name]
					r.log(t)
					for _, why := range r.why {
						t.Error(why)
					}
				})
			}
		})
	}
}

// staging is what came of staging the cases, all backends tracing them at once.
type staging struct {
	impossible map[string]error // cases, and what this kernel lacks for them
	said       results
}

// results are what each backend said of each case.
type results map[loader.Backend]map[string]*result

// result is what came of one case, when it was last staged.
type result struct {
	events [2][]events.Event // without and with --rtt
	quiet  [2][]events.Event // the same with --changes, where the kernel's side makes no other record
	lost   events.Lost       // what katrace said that it missed, both ways together
	lines  []string          // what was said, for the log
	why    []string          // what does not agree
	failed bool              // because the staging failed
}

var staged struct {
	once sync.Once
	*staging
}

// stageAll stages the cases that are possible here, once for all tests. A case
// that does not agree is staged again, by itself, only where lab.Row.Again gives
// a reason for that: otherwise it is a fault of katrace.
func stageAll(t *testing.T) *staging {
	t.Helper()
	staged.once.Do(func() {
		s := &staging{impossible: map[string]error{}, said: results{}}
		var possible []lab.Case
		for _, c := range lab.Cases() {
			if err := c.Possible(); errors.Is(err, lab.ErrLacking) {
				s.impossible[c.Name] = err
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			possible = append(possible, c)
		}
		err := lab.Rounds(possible, func(round []lab.Case) (map[string]string, error) {
			again := map[string]string{}
			for by, said := range trace(t, round) {
				if s.said[by] == nil {
					s.said[by] = map[string]*result{}
				}
				for name, r := range said {
					s.said[by][name] = r
				}
			}
			for _, c := range round {
				if why := s.said.again(t, c.Name); why != "" {
					again[c.Name] = why
					t.Logf("%s is staged again: %s", c.Name, why)
					s.said.log(t, c.Name)
				}
			}
			return again, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		staged.staging = s
	})
	if staged.staging == nil {
		t.Fatal("the cases could not be staged, see above")
	}
	return staged.staging
}

// again says why a case is to be staged again: a backend said something wrong of
// it, or not the same as another one, and that may be no fault of katrace.
func (r results) again(t *testing.T, name string) string {
	all := lab.Row{Agrees: len(r.differences(t, name)) == 0}
	var lost events.Lost
	for _, said := range r {
		all.Agrees = all.Agrees && len(said[name].why) == 0
		all.Failed = all.Failed || said[name].failed
		lost = lost.Plus(said[name].lost)
	}
	return all.Again(lost)
}

func (s *staging) skipImpossible(t *testing.T, name string) {
	t.Helper()
	if err := s.impossible[name]; err != nil {
		t.Skipf("not possible here: %v", err)
	}
}

func (r results) log(t *testing.T, name string) {
	t.Helper()
	for by, said := range r {
		t.Logf("%s by %s:", name, by)
		said[name].log(t)
	}
	for _, d := range r.differences(t, name) {
		t.Log(d)
	}
}

func (r *result) log(t *testing.T) {
	t.Helper()
	for _, line := range r.lines {
		t.Log(line)
	}
	for _, why := range r.why {
		t.Log("does not agree: " + why)
	}
}

// tracing is one katrace while the cases are played.
type tracing struct {
	*run
	by    loader.Backend
	exact bool // --rtt
	quiet bool // --changes
}

// trace stages cases, traces them by every backend with and without --rtt, and
// judges what each said.
func trace(t *testing.T, cases []lab.Case) results {
	// Before the connections are made: these would be idle meanwhile.
	var runs []tracing
	traced := func(by loader.Backend, exact, quiet bool, flags ...string) {
		if emulated() { // the memory of such a machine is small
			flags = append(flags, "--ring-size=2MiB")
		}
		runs = append(runs, tracing{run: launch(t, by, flags...), by: by, exact: exact, quiet: quiet})
	}
	for _, by := range backends() {
		traced(by, false, false, "--all")
		traced(by, true, false, "--all", "--rtt")
		for way, flags := range quietWays(by) {
			traced(by, way == 1, true, flags...)
		}
	}
	for _, r := range runs {
		r.attached()
	}
	l, err := lab.Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	l.Begin()
	outcomes, err := l.Wait(t.Context())
	if err != nil {
		t.Logf("not played to the end: %v", err) // the judgement says which
	}
	said := results{}
	for _, r := range runs {
		if said[r.by] == nil {
			said[r.by] = map[string]*result{}
		}
		all := r.stop()
		byCase, strays := lab.Sort(all, l.Conns())
		for i := range strays {
			t.Errorf("%s: stray event: %s", r.by, events.AppendText(nil, &strays[i]))
		}
		if len(cases) == len(lab.Cases()) && !r.quiet {
			checkSchema(t, r.lines)
		}
		lost := tallyOf(all).lost
		hidden := lost.Skipped.Enabled // may be missing
		for i, o := range outcomes {
			if said[r.by][o.Case] == nil {
				said[r.by][o.Case] = &result{}
			}
			of := said[r.by][o.Case]
			of.lost = of.lost.Plus(lost)
			if r.quiet {
				of.quiet[r.way()] = byCase[o.Case]
				continue
			}
			of.judge(t, o, byCase[o.Case], lost, r)
			of.checkEnabled(t, r.by, byCase[o.Case], &hidden)
			if o.Case == "alive" {
				of.checkProbed(t, r.by, all, l.Conns()[i], o)
			}
		}
	}
	for by, of := range said {
		for _, r := range of {
			r.checkQuiet(by)
		}
	}
	return said
}

// quietWays are the flags of the katraces that make records of changes only. An
// emulated machine has no time for many: there it is by kprobe and by fentry, once.
func quietWays(by loader.Backend) [][]string {
	switch {
	case !emulated():
		return [][]string{{"--changes"}, {"--changes", "--rtt"}}
	case by == loader.Tracepoint:
		return nil
	default:
		return [][]string{{"--changes"}}
	}
}

// checkQuiet: with --changes the same is said of what changes anything.
func (r *result) checkQuiet(by loader.Backend) {
	for way := range quietWays(by) {
		all := r.events[way]
		var want []events.Event
		for _, e := range all {
			if e.Change != 0 {
				want = append(want, e)
			}
		}
		if d := cmp.Diff(timeless(want), timeless(r.quiet[way]), comparable); d != "" {
			r.why = append(r.why, fmt.Sprintf("--rtt %t, -all +changes:\n%s", way == 1, d))
		}
	}
}

// way is the index of result.events.
func (t tracing) way() int {
	if t.exact {
		return 1
	}
	return 0
}

// factsByBackend: to find them out is to read the kernel's types, which takes an
// emulated machine a second.
var factsByBackend sync.Map

// factsHere is what a backend can know on this kernel.
func factsHere(t *testing.T, by loader.Backend) loader.Facts {
	t.Helper()
	if known, ok := factsByBackend.Load(by); ok {
		return known.(loader.Facts)
	}
	btf := ""
	if flags := moreFlags(); len(flags) == 2 && flags[0] == "--btf" {
		btf = flags[1]
	}
	facts, err := by.FactsHere(btf)
	if err != nil {
		t.Fatal(err)
	}
	factsByBackend.Store(by, facts)
	return facts
}

func (r *result) judge(t *testing.T, o lab.Outcome, evs []events.Event, lost events.Lost, by tracing) {
	t.Helper()
	facts := factsHere(t, by.by)
	r.events[by.way()] = evs
	row := lab.Judge(o, evs, lost, lab.Backend{
		SendErrors: facts.SendErrors, ICMP: facts.ICMP, RST: facts.RST, Probed: facts.Probed, ProbedByte: facts.ProbedByte, DropReasons: facts.DropReasons,
		WindowProbes: facts.WindowProbes, TimerReasons: true, PromptAnswers: by.exact, Slack: *slack,
	})
	r.lines = append(r.lines, fmt.Sprintf("--rtt %t: said %q, read %s, probes: kernel %d, wire %d, events %d",
		by.exact, row.Said, row.Errno, row.Kernel, row.Wire, row.Events))
	r.why = append(r.why, row.Why...)
	r.failed = r.failed || row.Failed
	if len(row.Why) > 0 {
		for _, e := range evs {
			r.lines = append(r.lines, string(events.AppendText(nil, &e)))
		}
	}
}

// checkProbed: the peer of a connection whose keepalive works is told to be
// probed, once a probe, where the backend can know.
func (r *result) checkProbed(t *testing.T, by loader.Backend, evs []events.Event, c lab.Conn, o lab.Outcome) {
	t.Helper()
	probed, want := 0, 0
	for _, e := range evs {
		if e.Kind == events.KindProbed && e.Netns == c.Netns && e.Local == c.Remote && e.Remote == c.Local {
			probed++
		}
	}
	if factsHere(t, by).Probed {
		want = int(o.KeepaliveCount)
	}
	if probed != want {
		r.why = append(r.why, fmt.Sprintf("%d probed events of the peer's socket, want %d", probed, want))
	}
}

// checkEnabled: who switched SO_KEEPALIVE on is this process, where the backend
// can know; once. All cases do so at the same time, and the kernel skips a program
// where one task is preempted in the midst of it and another one comes by. As many
// events may be missing as katrace reports; hidden is how many of these are left.
func (r *result) checkEnabled(t *testing.T, by loader.Backend, evs []events.Event, hidden *uint64) {
	t.Helper()
	var got, want []conn.Process
	for _, e := range evs {
		if e.Kind == events.KindEnabled {
			got = append(got, e.Process)
		}
	}
	if factsHere(t, by).Enabled {
		want = []conn.Process{self(t)}
	}
	if len(got) < len(want) && *hidden > 0 {
		*hidden--
		return
	}
	if d := cmp.Diff(want, got); d != "" {
		r.why = append(r.why, "processes that switched keepalive on (-want +got):\n"+d)
	}
}

// stage stages one case and returns its connection.
func stage(t *testing.T, name string) (*lab.Lab, lab.Conn) {
	t.Helper()
	cases, err := lab.ByName(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Conns()[0]
}

// play plays a single case to its end. The last probe's answer is left time.
func play(t *testing.T, l *lab.Lab) lab.Outcome {
	t.Helper()
	l.Begin()
	outcomes, err := l.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	return outcomes[0]
}
