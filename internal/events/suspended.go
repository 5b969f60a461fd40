// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"math"
	"time"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
)

// suspended tells what keepalive waits for, and when the kernel gives up if
// nothing changes.
func (t *Tracker) suspended(r *loader.Record, e *Event) {
	e.WaitsFor, e.Verdict = conn.Waiting(r.Waits), VerdictSuspended
	e.Retransmits, e.Unacked = int(r.Retransmits), r.Unacked
	e.Next, e.Has = e.Keepalive.Idle, e.Has|HasUnacked|conn.HasNext
	s := Stall{
		WaitsFor: e.WaitsFor, HZ: t.clock.hz, Retries2: int(r.Retries2), UserTimeout: e.Keepalive.UserTimeout,
		Since: time.Duration(r.Since) * time.Microsecond, Now: r.Now, Expires: r.Expires, RTO: r.Rto, RTOMax: r.RtoMax,
	}
	if e.WaitsFor == conn.WaitsWindowProbe {
		s.Since = t.clock.span(r.Since)
	}
	if dies, sure := s.DiesIn(); sure {
		e.DiesIn, e.Has = dies, e.Has|conn.HasDiesIn
	}
}

// Stall is what the kernel's retransmission timer decides by: it is in charge
// while data is not acknowledged, and keepalive is not.
type Stall struct {
	WaitsFor    conn.Waiting
	HZ          jiffies.HZ
	Since       time.Duration // since the first retransmission (retrans_stamp) or window probe (icsk_probes_tstamp); 0: not known
	Now         uint32        // jiffies
	Expires     uint32        // jiffies: when the timer is to fire
	RTO, RTOMax uint32        // jiffies: icsk_rto, as doubled so far; TCP_RTO_MAX_MS
	Retries2    int           // net.ipv4.tcp_retries2
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: not set
}

// rtoMin is TCP_RTO_MIN, by which retransmits_timed_out() counts.
const rtoMin = 200 * time.Millisecond

// DiesIn is how long from now until the kernel gives the connection up if the
// peer stays as it is. It is not sure of a closed window without a user timeout:
// a peer that answers the window probes is not given up at all.
//
// Retransmission ends at the first firing at which the time since the first
// retransmission reaches the limit (tcp_write_timeout(), retransmits_timed_out()).
// Each firing before doubles the RTO, and with a user timeout none is later than
// that (tcp_retransmit_timer(), tcp_clamp_rto_to_user_timeout()). What the timer
// wheel rounds each up by decides which firing it is: the sums of doubled RTOs
// and the time that tcp_retries2 stands for lie close together. A closed window ends at the
// user timeout (tcp_probe_timer(), tcp_clamp_probe0_to_user_timeout()).
func (s Stall) DiesIn() (dies time.Duration, sure bool) {
	if s.Since <= 0 || s.HZ == 0 {
		return 0, false
	}
	if s.WaitsFor == conn.WaitsWindowProbe {
		return max(0, s.UserTimeout-s.Since), s.UserTimeout > 0
	}
	limit := s.UserTimeout
	if limit == 0 {
		limit = modelTimeout(s.Retries2, s.HZ.Span(s.RTOMax))
	}
	rto := uint64(max(s.RTO, 1))
	now := uint64(s.Now) + 1<<32 // so that what is overdue is not below 0
	at := jiffies.Fires(now+uint64(int64(int32(s.Expires-s.Now))), rto)
	for range most {
		in := s.span(max(at, now) - now)
		left := limit - s.Since - in
		if left <= 0 {
			return in, true
		}
		rto = min(2*rto, uint64(max(s.RTOMax, 1)))
		run := rto
		if s.UserTimeout > 0 && left < s.span(run) {
			run = uint64(left/s.HZ.Tick()) + 1
		}
		at = jiffies.Fires(max(at, now)+run, run)
	}
	return 0, false
}

// most is how many firings are looked ahead: with the longest TCP_USER_TIMEOUT,
// 24 days, and the shortest TCP_RTO_MAX_MS, a second, there are two million.
const most = 1 << 21

// span is how long so many jiffies are: conn.Forever at the most.
func (s Stall) span(n uint64) time.Duration {
	if n > math.MaxUint32 {
		return conn.Forever
	}
	return s.HZ.Span(uint32(n))
}

// modelTimeout is the time that a number of retransmissions stands for,
// tcp_model_timeout() with TCP_RTO_MIN: they double up to rtoMax, and go on by it.
func modelTimeout(retries int, rtoMax time.Duration) time.Duration {
	doublings := 0
	for d := rtoMin; 2*d <= rtoMax; d *= 2 { // ilog2(rtoMax / rtoMin)
		doublings++
	}
	doubled := min(retries, doublings)
	return (2<<doubled-1)*rtoMin + time.Duration(retries-doubled)*rtoMax
}

var resumedWords = [...]string{
	0:                        "keepalive is in charge again",
	conn.WaitsRetransmission: "the data is acknowledged, keepalive is in charge again",
	conn.WaitsWindowProbe:    "the peer's window is open, keepalive is in charge again",
}

func appendSuspendedWords(dst []byte, e *Event) []byte {
	if e.WaitsFor == conn.WaitsWindowProbe {
		dst = append(dst, "the peer's receive window is closed, "...)
		dst = append(conn.AppendCount(dst, uint64(e.Unacked), "byte"), " wait: keepalive has no say"...)
	} else {
		dst = append(conn.AppendCount(dst, uint64(e.Unacked), "byte"), " unacknowledged, "...)
		dst = append(conn.AppendCount(dst, uint64(e.Retransmits), "retransmit"), ": keepalive has no say"...)
	}
	switch {
	case e.Has&conn.HasDiesIn != 0:
		dst = conn.AppendSpan(append(dst, ", gives up in "...), e.DiesIn)
	case e.WaitsFor == conn.WaitsWindowProbe:
		dst = append(dst, ", for as long as the peer answers window probes"...)
	}
	return dst
}
