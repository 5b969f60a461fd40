// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"katrace/internal/conn"
	"katrace/internal/events"
)

// suspended: told if and only if firings find data that is not acknowledged or a
// closed window, with the end that then comes, where it is certain; and resumed if
// and only if it is over without an end.
func (r *review) suspended() {
	told := r.kinds[events.KindSuspended]
	if r.c.Expect.Writes { // on a slow machine it is sent again
		return
	}
	switch n := len(r.kinds[events.KindResumed]); {
	case !r.c.Expect.Resumes && n > 0:
		r.no("%s, and nothing was over", conn.Count(n, "resumed event"))
	case r.c.Expect.Resumes && n != 1:
		r.no("%s, keepalive was in charge again once", conn.Count(n, "resumed event"))
	}
	if r.c.Expect.Timer != events.ReasonDataInFlight {
		if len(told) > 0 {
			r.no("%s, and keepalive was in charge throughout", conn.Count(len(told), "suspended event"))
		}
		return
	}
	if len(told) == 0 {
		r.no("no suspended event")
		return
	}
	waits := conn.WaitsRetransmission
	if r.c.Expect.WindowProbes {
		waits = conn.WaitsWindowProbe
	}
	last := told[len(told)-1] // on a slow machine what fills the window may have been sent again
	if last.WaitsFor != waits {
		r.no("suspended event says that it waits for %q, not %q", last.WaitsFor, waits)
	}
	for i, e := range told {
		if i > 0 && e.WaitsFor == told[i-1].WaitsFor {
			r.no("suspended event %d is about the same episode as the one before", i+1)
		}
	}
	sure := waits == conn.WaitsRetransmission || r.c.Setting.UserTimeout > 0
	switch has := last.Has&conn.HasDiesIn != 0; {
	case has && !sure:
		r.no("suspended event says that the kernel gives up in %v, and a peer that answers window probes is never given up", round(last.DiesIn))
	case !has && sure:
		r.no("suspended event does not say when the kernel gives up")
	case has && r.c.Expect.End == ByOther && !r.near(last.Time.Add(last.DiesIn), r.o.Died()) && !r.firingFewer(last):
		r.no("suspended event says that the kernel gives up in %v, it did after %v", round(last.DiesIn), round(r.o.Died().Sub(last.Time)))
	}
}

// firingFewer says that one firing fewer than was expected ended the connection. By
// tcp_retries2 the last one is the first after a time that is some 200 ms longer than
// the firings before it take (tcp_model_timeout): where these are late, on a busy
// machine, the last of them is over the limit, and the connection ends earlier by
// what would have been one more doubling.
func (r *review) firingFewer(e *events.Event) bool {
	early := e.Time.Add(e.DiesIn).Sub(r.o.Died())
	return r.c.Expect.Reason == events.ReasonCount && early > 0 && early <= r.c.Expect.After+r.can.Slack
}
