// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"math"
	"time"

	"katrace/internal/jiffies"
)

// Data is what the peer has not acknowledged of a connection in which keepalive
// has no say: its data is retransmitted, or the peer's window is closed and
// probed. Data that was sent once is how a connection works, and not told.
type Data struct {
	Retransmits int    // HasUnacked: by the retransmission timer, of the oldest data (icsk_retransmits)
	Unacked     uint32 // HasUnacked: bytes that the peer has not acknowledged, those not sent yet included
}

// Endless says that the peer's window is closed and that the kernel does not give it
// up for as long as it answers window probes (tcp_probe_timer()).
func (s *State) Endless() bool {
	return s.WaitsFor == WaitsWindowProbe && s.Has&HasKeepalive != 0 && s.Keepalive.UserTimeout == 0
}

// Stall is what the kernel's retransmission timer decides by: it is in charge
// while data is not acknowledged, and keepalive is not.
type Stall struct {
	WaitsFor    Waiting
	HZ          jiffies.HZ
	Since       time.Duration // since the first retransmission (retrans_stamp) or window probe (icsk_probes_tstamp); 0: not known
	Now         uint32        // jiffies
	Expires     uint32        // jiffies: when the timer is to fire, not rounded up
	Level       uint8         // of the timer wheel, in which it is; jiffies.Levels or more: not known
	RTO, RTOMax uint32        // jiffies: icsk_rto, as doubled so far, or the time between two window probes; TCP_RTO_MAX_MS
	Retries2    int           // net.ipv4.tcp_retries2
	UserTimeout time.Duration // TCP_USER_TIMEOUT; 0: not set
}

// rtoMin is TCP_RTO_MIN, by which retransmits_timed_out() counts.
const rtoMin = 200 * time.Millisecond

// DiesIn is how long from now until the kernel gives the connection up if the
// peer stays as it is. It is not sure of a closed window without a user timeout:
// a peer that answers the window probes is not given up at all.
//
// The end is the first firing at which the time since the first retransmission
// (tcp_write_timeout(), retransmits_timed_out()) or window probe
// (tcp_probe_timer()) reaches the limit. Each firing before doubles the time to
// the next, and with a user timeout none is later than that
// (tcp_clamp_rto_to_user_timeout(), tcp_clamp_probe0_to_user_timeout()). What the
// timer wheel rounds each up by decides which firing it is: the sums of doubled
// RTOs and the time that tcp_retries2 stands for lie close together.
func (s Stall) DiesIn() (dies time.Duration, sure bool) {
	if s.Since <= 0 || s.HZ == 0 || s.WaitsFor == WaitsWindowProbe && s.UserTimeout <= 0 {
		return 0, false
	}
	limit := s.UserTimeout
	if limit == 0 {
		limit = modelTimeout(s.Retries2, s.HZ.Span(s.RTOMax))
	}
	rto, level := uint64(max(s.RTO, 1)), int(s.Level)
	if level >= jiffies.Levels {
		level = jiffies.Level(rto)
	}
	now := uint64(s.Now) + 1<<32 // so that what is overdue is not below 0
	at := jiffies.Fires(now+uint64(int64(int32(s.Expires-s.Now))), level)
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
		at = jiffies.Fires(max(at, now)+run, jiffies.Level(run))
	}
	return 0, false
}

// most is how many firings are looked ahead: with the longest TCP_USER_TIMEOUT,
// 24 days, and the shortest TCP_RTO_MAX_MS, a second, there are two million.
const most = 1 << 21

// span is how long so many jiffies are: Forever at the most.
func (s Stall) span(n uint64) time.Duration {
	if n > math.MaxUint32 {
		return Forever
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
