// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"slices"
	"testing"
	"time"

	"katrace/internal/loader"
)

// TestChanges: each state is told once, by the event that brings it, and a
// recovery says after how many probes and how long.
func TestChanges(t *testing.T) {
	probe := func(n, ret int, flags uint8, idle uint32) loader.Record {
		r := probeRecord()
		r.Flags, r.Probes, r.Ret, r.IdleFor = loader.FlagFollowed|loader.FlagRet|flags, uint8(n), int32(ret), idle*second
		return r
	}
	with := func(r loader.Record, kind uint8, at int) loader.Record {
		r.Kind, r.Time = kind, uint64(at)*1e9
		return r
	}
	at := func(seconds int, r loader.Record) loader.Record { return with(r, r.Kind, seconds) }
	icmp := with(probe(1, 0, 0, 61), loader.RecordICMP, 61)
	icmp.IcmpType, icmp.IcmpCode = 3, 1
	type told struct {
		change Change
		after  int
		silent time.Duration
	}
	for _, tt := range []struct {
		name    string
		records []loader.Record
		want    []told
	}{
		{"alive", []loader.Record{at(60, probe(1, 0, 0, 60)), at(120, probe(1, 0, loader.FlagAnswered, 60))},
			[]told{{}, {}, {}}},
		{"silent, and again", []loader.Record{
			at(60, probe(1, 0, 0, 60)), at(70, probe(2, 0, 0, 70)), at(80, probe(3, 0, 0, 80)),
			// Answered at 81, idle for 60 s at the next probe.
			at(141, probe(1, 0, loader.FlagAnswered, 60)), at(151, probe(2, 0, 0, 70)),
		}, []told{{}, {change: ChangeSilent}, {}, {ChangeRecovered, 3, 81 * time.Second}, {}, {change: ChangeSilent}}},
		{"one lost probe is no recovery", []loader.Record{at(60, probe(1, 0, 0, 60)), at(120, probe(1, 0, loader.FlagAnswered, 59))},
			[]told{{}, {}, {}}},
		{"unanswered, then congested: the next one is the second unanswered", []loader.Record{
			at(60, probe(1, 0, 0, 60)), at(70, probe(1, 1, 0, 70)), at(71, probe(2, 0, 0, 71)),
		}, []told{{}, {}, {change: ChangeSilent}}},
		{"begun before katrace: not known after how many", []loader.Record{
			at(80, probe(3, 0, 0, 80)), at(90, probe(4, 0, 0, 90)), at(160, probe(1, 0, loader.FlagAnswered, 60)),
		}, []told{{change: ChangeSilent}, {}, {change: ChangeRecovered}, {}}},
		{"unreachable", []loader.Record{at(60, probe(1, 0, 0, 60)), icmp, icmp, at(70, probe(2, 0, 0, 70)), at(140, probe(1, 0, loader.FlagAnswered, 60))},
			[]told{{}, {change: ChangeUnreachable}, {}, {}, {ChangeRecovered, 2, 80 * time.Second}, {}}},
		{"given up", []loader.Record{at(60, probe(1, 0, 0, 60)), at(70, probe(2, 0, 0, 70)), with(probe(2, 0, 0, 80), loader.RecordReset, 80)},
			[]told{{}, {change: ChangeSilent}, {change: ChangeEnded}}},
		{"the answer's record is lost: the next silence is a change all the same", []loader.Record{
			at(60, probe(1, 0, 0, 60)), at(70, probe(2, 0, 0, 70)), at(140, probe(1, 0, 0, 60)), at(150, probe(2, 0, 0, 70)),
		}, []told{{}, {change: ChangeSilent}, {}, {change: ChangeSilent}}},
		{"silent, then data waits, then back", []loader.Record{
			at(60, probe(1, 0, 0, 60)), at(70, probe(2, 0, 0, 70)), with(probe(2, 0, 0, 75), loader.RecordSuspended, 75),
			// Heard at 90, and the firing at 92 tells both.
			with(probe(0, 0, 0, 2), loader.RecordResumed, 92), with(probe(0, 0, loader.FlagAnswered, 2), loader.RecordAnswer, 92),
		}, []told{{}, {change: ChangeSilent}, {change: ChangeSuspended}, {change: ChangeResumed}, {ChangeRecovered, 2, 90 * time.Second}}},
		{"suspended", []loader.Record{with(probe(0, 0, 0, 60), loader.RecordSuspended, 60), with(probe(0, 0, 0, 2), loader.RecordResumed, 90)},
			[]told{{change: ChangeSuspended}, {change: ChangeResumed}}},
	} {
		tracker := NewTracker(jiffy)
		var got []told
		for i := range tt.records {
			if err := tracker.Record(&tt.records[i], func(e *Event) error {
				got = append(got, told{e.Change, e.AfterProbes, e.SilentFor})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.name, got, tt.want)
		}
	}
}
