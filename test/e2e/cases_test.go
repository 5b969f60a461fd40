// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/events"
	"katrace/internal/lab"
)

// TestCases stages every case and holds what katrace says of it against the
// kernel's counter, a capture and the application's errno.
func TestCases(t *testing.T) {
	judge(t, false, "--all")
}

// TestCasesExact is the same with --rtt: answers are told when they come.
func TestCasesExact(t *testing.T) {
	judge(t, true, "--all", "--rtt")
}

func judge(t *testing.T, prompt bool, args ...string) {
	l, err := lab.Start(t.Context(), lab.Cases())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	r := start(t, args...)
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	outcomes, err := l.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byCase, strays := lab.Sort(r.stop(), l.Conns())
	for i := range strays {
		t.Errorf("stray event: %s", events.AppendText(nil, &strays[i]))
	}
	can := lab.Backend{
		SendErrors: facts().SendErrors, ICMP: facts().ICMP, WindowProbes: facts().WindowProbes,
		TimerReasons: true, PromptAnswers: prompt, Slack: *slack,
	}
	for _, o := range outcomes {
		t.Run(o.Case, func(t *testing.T) {
			row := lab.Judge(o, byCase[o.Case], can)
			t.Logf("said %q, read %s, probes: kernel %d, wire %d, events %d", row.Said, row.Errno, row.Kernel, row.Wire, row.Events)
			for _, why := range row.Why {
				t.Error(why)
			}
			if t.Failed() {
				for _, e := range byCase[o.Case] {
					t.Logf("%s", events.AppendText(nil, &e))
				}
			}
		})
	}
}

// TestProbed: the peer's side of a connection whose keepalive works is told
// that it is probed, once a probe, where the backend can know.
func TestProbed(t *testing.T) {
	l, conn := stage(t, "alive")
	r := start(t)
	outcome := play(t, l)
	var probed, foreign int
	for _, e := range r.stop() {
		switch {
		case e.Kind != events.KindProbed || e.Netns != conn.Netns:
		case e.Local == conn.Remote && e.Remote == conn.Local:
			probed++
		default:
			foreign++
		}
	}
	want := 0
	if facts().Probed {
		want = int(outcome.KeepaliveCount)
	}
	if probed != want || foreign != 0 {
		t.Errorf("%d probed events of the peer's socket and %d others, want %d and 0", probed, foreign, want)
	}
}

// TestEnabled: who switched SO_KEEPALIVE on is this process.
func TestEnabled(t *testing.T) {
	l, conn := stage(t, "alive")
	r := start(t, "--event", "enabled")
	play(t, l)
	var got []events.Process
	for _, e := range r.stop() {
		if e.Conn() == conn.Conn {
			got = append(got, e.Process)
		}
	}
	var want []events.Process
	if facts().Enabled {
		want = []events.Process{self(t)}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("processes that enabled keepalive (-want +got):\n%s", d)
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
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	outcomes, err := l.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	return outcomes[0]
}
