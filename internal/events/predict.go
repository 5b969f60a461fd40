// SPDX-License-Identifier: BSD-2-Clause

package events

import "time"

// RetryCongested is how long tcp_keepalive_timer waits after a probe that the
// local queue refused (TCP_RESOURCE_PROBE_INTERVAL, HZ/2).
const RetryCongested = 500 * time.Millisecond

// retryBusy is how long it waits where a process holds the socket (HZ/20).
const retryBusy = 50 * time.Millisecond

// DiesIn is how long from now until the kernel gives the connection up if the
// peer stays silent, by the rule of tcp_keepalive_timer(): at a firing, if
// Count probes are unanswered or, where a user timeout is set, if the
// connection has been idle that long and a probe is out; Count is not looked
// at then. unanswered probes are out, the peer was last heard idleFor ago, and
// the timer fires in next and after that every Interval.
func (s Settings) DiesIn(unanswered int, idleFor, next time.Duration) time.Duration {
	var firings int // that send another probe instead of giving up
	if s.UserTimeout == 0 {
		firings = max(0, s.Count-unanswered)
	} else {
		if unanswered == 0 {
			firings = 1
		}
		missing := s.UserTimeout - idleFor - next
		switch {
		case missing <= 0:
		case s.Interval == 0: // net.ipv4.tcp_keepalive_intvl=0: it fires at every tick
			return next + missing
		default:
			firings = max(firings, int((missing+s.Interval-1)/s.Interval))
		}
	}
	return next + time.Duration(firings)*s.Interval
}
