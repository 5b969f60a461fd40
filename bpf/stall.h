/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where keepalive has no say: data is being retransmitted, or the peer's window is
 * closed and probed; and what the timer that is in charge then decides by. */
#ifndef KATRACE_STALL_H
#define KATRACE_STALL_H

#include "sock.h"

/* Ticks a second. */
const volatile __u32 hz = 1000;

/* unacked_of: bytes that the peer has not acknowledged, those that were not sent
 * yet included. A FIN among them takes a sequence number and is none. */
static __always_inline __u32 unacked_of(struct sock *sk, __u8 state)
{
	__u32 n = TCP(sk, write_seq) - TCP(sk, snd_una);

	return n - (n && (state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK));
}

/* stall_with_data: stall_of(), where not all is acknowledged. */
static __always_inline enum record_waits stall_with_data(struct sock *sk)
{
	__u8 state;

	if (sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DEAD)))
		return WAITS_FOR_NOTHING;
	state = READ(sk, __sk_common.skc_state);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_CLOSE) /* as why_no_probe() has it */
		return WAITS_FOR_NOTHING;
	if (!TCP(sk, packets_out))
		return !TCP(sk, snd_wnd) && (ICSK(sk, icsk_backoff) || ICSK(sk, icsk_probes_out)) ? WAITS_FOR_WINDOW :
												     WAITS_FOR_NOTHING;
	if (TCP(sk, snd_wnd))
		return ICSK(sk, icsk_retransmits) ? WAITS_FOR_RETRANSMISSION : WAITS_FOR_NOTHING;
	/* tcp_retransmit_timer() does not count those into a closed window. */
	return ICSK(sk, icsk_retransmits) || ICSK(sk, icsk_backoff) ? WAITS_FOR_WINDOW : WAITS_FOR_NOTHING;
}

/* stall_of: what a connection waits for, whether keepalive is on or not. Data that
 * is on its way, or queued for the moment, is nothing to tell of: a busy connection
 * has it. Nobody reads the end of an orphan. */
static __always_inline enum record_waits stall_of(struct sock *sk)
{
	return all_acked(sk) ? WAITS_FOR_NOTHING : stall_with_data(sk);
}

/* since_retransmission: ms since the first one; 0: not known. */
static __always_inline __u32 since_retransmission(struct sock *sk)
{
	__u32 stamp = TCP(sk, retrans_stamp);
	__u64 now = bpf_ktime_get_ns();

	if (!stamp)
		return 0;
	if (bpf_core_field_exists(struct tcp_sock, tcp_usec_ts) &&
	    BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, tcp_usec_ts))
		return ((__u32)(now / 1000) - stamp) / 1000 ?: 1;
	return (__u32)(now / 1000000) - stamp ?: 1;
}

/* since_window_probe: ms since the first one; 0: not known. */
static __always_inline __u32 since_window_probe(struct sock *sk, __u32 now)
{
	__u32 stamp;

	if (!bpf_core_field_exists(struct inet_connection_sock, icsk_probes_tstamp))
		return 0;
	stamp = ICSK(sk, icsk_probes_tstamp);
	return stamp ? (__u64)(now - stamp) * 1000 / hz ?: 1 : 0;
}

/* level_of: the level of the timer wheel that a pending timer is in, by which its
 * expiry is rounded up; LEVEL_UNKNOWN where the flags hold no index as calc_index()
 * in kernel/time/timer.c makes it: TIMER_ARRAYSHIFT is 22, 64 slots are a level. */
static __always_inline __u8 level_of(struct timer_list *timer)
{
	__u32 index = READ(timer, flags) >> 22, level = index / 64;

	if (level > 8 || (((__u64)READ(timer, expires) >> level * 3) + 1) % 64 != index % 64)
		return LEVEL_UNKNOWN;
	return level;
}

/* read_stall: what the timer that is in charge decides by. */
static __always_inline void read_stall(struct sock *sk, struct record *r)
{
	struct timer_list *timer = retransmit_timer_of(sk);
	__u32 backoff = ICSK(sk, icsk_backoff);

	r->unacked = unacked_of(sk, r->state);
	r->retransmits = ICSK(sk, icsk_retransmits);
	r->retries2 = READ(READ(sk, __sk_common.skc_net.net), ipv4.sysctl_tcp_retries2);
	r->now = jiffies32();
	r->expires = READ(timer, expires);
	r->level = level_of(timer);
	r->rto = ICSK(sk, icsk_rto);
	r->rto_max = 120 * hz; /* TCP_RTO_MAX */
	if (bpf_core_field_exists(struct inet_connection_sock, icsk_rto_max))
		r->rto_max = ICSK(sk, icsk_rto_max);
	if (r->waits == WAITS_FOR_RETRANSMISSION) {
		r->since = since_retransmission(sk);
		return;
	}
	r->since = since_window_probe(sk, r->now);
	if (!TCP(sk, packets_out)) { /* tcp_probe0_when() */
		__u64 when = (__u64)(r->rto > hz / 5 ? r->rto : hz / 5) << (backoff < 10 ? backoff : 10);

		r->rto = when < r->rto_max ? when : r->rto_max;
	}
}

#endif
