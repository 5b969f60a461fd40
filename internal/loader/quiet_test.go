// SPDX-License-Identifier: BSD-2-Clause

package loader_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// TestQuiet: where only changes are wanted, what is told of them is the same as
// where every record is made; no record is made that changes nothing; and what the
// programs count is what all records together tell.
func TestQuiet(t *testing.T) {
	stories := uint64(6)
	if testing.Short() {
		stories = 1
	}
	for seed := range stories {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			full, quiet := newTeller(), newTeller()
			var counted loader.Counts
			stale := false
			for i, step := range loader.PlayStory(t, seed, 100) {
				all := full.tell(t, step.Full)
				var want []events.Event
				for _, e := range all {
					count(&counted, &e)
					if e.Change != 0 {
						want = append(want, e)
					}
				}
				var got []events.Event
				for _, r := range step.Quiet {
					told := quiet.tell(t, []loader.Record{r})
					news := r.Kind == loader.RecordUntold || r.Kind == loader.RecordClosed
					for _, e := range told {
						if e.Change != 0 {
							news = true
							got = append(got, e)
						}
					}
					if !news {
						t.Errorf("step %d, %s: a record of no news: %+v", i, step.Name, told)
					}
				}
				if d := cmp.Diff(want, got, exactly); d != "" {
					t.Fatalf("step %d, %s: -all records +quiet\n%s", i, step.Name, d)
				}
				if d := cmp.Diff(counted, step.Counts); d != "" {
					t.Fatalf("step %d, %s: counts -by events +by programs\n%s", i, step.Name, d)
				}
				// One whose end no program saw is remembered until there is news of the next.
				stale = (stale || step.Unseen) && len(step.Quiet) == 0
				if known, of := total(quiet), total(full); known > of && !stale {
					t.Fatalf("step %d, %s: %d connections are remembered, with all records %d", i, step.Name, known, of)
				}
				if len(step.Full) == 0 {
					continue // the tracker may not know that the address is another connection's
				}
				if d := cmp.Diff(full.Connections(), events.ConnectionsBy(step.Verdicts)); d != "" {
					t.Fatalf("step %d, %s: connections by verdict -tracker +programs\n%s", i, step.Name, d)
				}
			}
		})
	}
}

var exactly = cmp.Options{cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })}

// teller is a tracker, and what it tells without the times: the programs run one
// after the other.
type teller struct{ *events.Tracker }

func newTeller() teller { return teller{events.NewTracker(time.Millisecond)} }

func (t teller) tell(tb testing.TB, records []loader.Record) (all []events.Event) {
	for i := range records {
		if err := t.Record(&records[i], func(e *events.Event) error {
			e.Time, e.IdleFor, e.Next, e.DiesIn, e.SilentFor, e.RTT = time.Time{}, 0, 0, 0, 0, 0
			all = append(all, *e)
			return nil
		}); err != nil {
			tb.Fatal(err)
		}
	}
	return all
}

func total(t teller) (n uint64) {
	for _, of := range t.Connections() {
		n += of
	}
	return n
}

// count counts an event where Counts have it.
func count(to *loader.Counts, e *events.Event) {
	for i, c := range events.Counted() {
		switch {
		case c.Kind == 0 && c.Change == e.Change && c.Change != 0,
			c.Kind == e.Kind && c.Kind == events.KindReset && c.Reason == e.Reason,
			c.Kind == e.Kind && c.Kind == events.KindPeerReset && c.RST == e.RST,
			c.Kind == e.Kind && c.Kind == events.KindEnded && c.By == e.By && c.RST == e.RST,
			c.Kind == e.Kind && c.Kind == events.KindProbe && c.SendError == e.SendError,
			c.Kind == e.Kind && (c.Kind == events.KindAnswer || c.Kind == events.KindProbed):
			to[i]++
		}
	}
}
