// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"math/rand/v2"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// ordinary writes so many lines of the day before the simulation into the hosts' files:
// connections that fell silent, and were given up or heard again.
func (s *simulation) ordinary(r *rand.Rand, lines int) error {
	each := lines/len(s.all) + 1
	for n := range lines {
		h := s.all[n*len(s.all)/lines]                                                            // each host's in a row, as they are in its file
		at := s.begun.Add(-24*time.Hour + time.Duration(n%each)*23*time.Hour/time.Duration(each)) // to an hour ago
		c := h.connect(r, r.IntN(len(services)), at)
		c.heard = at.Add(-c.Keepalive.Idle - c.Keepalive.Interval)
		c.Unanswered = 2
		e := c.event(at, events.KindProbe)
		switch n % 3 {
		case 0:
			e.Verdict, e.Change, e.Has = events.VerdictSilent, events.ChangeSilent, e.Has|events.HasSeq
			e.Seq = r.Uint32()
		case 1:
			e.Kind, e.Reason, e.Errno, e.Verdict, e.Change = events.KindReset, events.ReasonCount, "ETIMEDOUT", events.VerdictTimedOut, events.ChangeEnded
		case 2:
			e.Kind, e.Verdict, e.Change, e.AfterProbes, e.SilentFor = events.KindAnswer, events.VerdictAlive, events.ChangeRecovered, 2, e.IdleFor
			e.Has &^= conn.HasUnanswered
		}
		if err := h.write(&e); err != nil {
			return err
		}
	}
	return nil
}
