// SPDX-License-Identifier: BSD-2-Clause

package events

// Connections counts the connections with a probe so far that have not ended, by
// their latest verdict.
func (t *Tracker) Connections() Connections { return t.counts }

// count moves the connection to the verdict that the event brings. One without a
// verdict leaves a peer that answered before as it is.
func (t *Tracker) count(s *story, e *Event) {
	now := e.Verdict
	if now == 0 && (s.verdict == VerdictAlive || e.Kind != KindProbe) {
		return
	}
	if s.kept && now != s.verdict {
		t.counts[s.verdict]--
		t.counts[now]++
	}
	s.verdict = now
}

// forget drops the story of the socket at that address, if there is one.
func (t *Tracker) forget(sk uint64) {
	if s, kept := t.conns.Get(sk); kept {
		t.counts[s.verdict]--
		s.kept = false
		t.conns.Delete(sk)
	}
}
