// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"cmp"
	"math"
	"time"
)

// Settings are the keepalive values in force on a socket, whatever their
// source (tcp_sock.keepalive_time and friends, else the namespace's sysctls).
type Settings struct {
	Idle        time.Duration // TCP_KEEPIDLE
	Interval    time.Duration // TCP_KEEPINTVL
	Count       int           // TCP_KEEPCNT
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: not set, Count decides
	Inherited   Setting       // those that the socket did not set itself
	Unsure      Setting       // those of which that is not known; never in an event from the kernel
}

// Own are the settings that are certainly the socket's own.
func (s *Settings) Own() Setting { return AllSettings &^ (s.Inherited | s.Unsure) }

// Values are the settings whatever their source, to be compared by ==.
func (s Settings) Values() Settings {
	s.Inherited, s.Unsure = 0, 0
	return s
}

// Compare orders settings by their values, the shortest Idle first.
func (s *Settings) Compare(other *Settings) int {
	return cmp.Or(cmp.Compare(s.Idle, other.Idle), cmp.Compare(s.Interval, other.Interval),
		cmp.Compare(s.Count, other.Count), cmp.Compare(s.UserTimeout, other.UserTimeout))
}

// RetryCongested is how long tcp_keepalive_timer waits after a probe that the
// local queue refused (TCP_RESOURCE_PROBE_INTERVAL, HZ/2).
const RetryCongested = 500 * time.Millisecond

// RetryBusy is how long it waits where a process holds the socket (HZ/20).
const RetryBusy = 50 * time.Millisecond

// Forever is the longest time that DiesIn gives: a hundred years.
const Forever = 100 * 365 * 24 * time.Hour

// ProbesLeft is how many more probes the kernel sends before it gives the
// connection up if the peer stays silent, by the rule of tcp_keepalive_timer():
// at a firing that finds the connection idle for at least Idle it gives up if
// Count probes are out or, where a user timeout is set, if the connection has
// been idle that long and a probe is out; Count is not looked at then. Else it
// sends a probe.
//
// out is the kernel's own count of probes, icsk_probes_out. That is not how many
// are unanswered: data from the peer does not always clear it (the fast path of
// tcp_rcv_established() does not), and what is left of it decides. It has 8
// bits; a larger count of our own is taken modulo 256. The peer was last heard
// idleFor ago, the first firing that finds the connection idle is in next, and
// after that there is one every Interval.
func (s Settings) ProbesLeft(out int, idleFor, next time.Duration) int {
	out &= math.MaxUint8
	if s.UserTimeout == 0 {
		return max(0, s.Count-out)
	}
	var left int
	if silent := After(idleFor, 1, next); silent < s.UserTimeout {
		left = int((s.UserTimeout-silent-1)/s.every() + 1)
	}
	if uint8(out+left) == 0 {
		left++ // none is out, or they are 256: the kernel takes these for none
	}
	return left
}

// DiesIn is how long from now until the kernel gives the connection up if the
// peer stays silent; the arguments are those of ProbesLeft.
func (s Settings) DiesIn(out int, idleFor, next time.Duration) time.Duration {
	return After(next, s.ProbesLeft(out, idleFor, next), s.every())
}

// every is the time between two firings. net.ipv4.tcp_keepalive_intvl may be 0:
// then the timer fires at every tick, which is a millisecond at the shortest.
func (s Settings) every() time.Duration { return max(s.Interval, time.Millisecond) }

// After is d and n times every: from 0 to Forever, whatever a recording says.
func After(d time.Duration, n int, every time.Duration) time.Duration {
	d, every = min(max(d, 0), Forever), max(every, 0)
	if n > 0 && every > (Forever-d)/time.Duration(n) {
		return Forever
	}
	return d + time.Duration(n)*every
}
