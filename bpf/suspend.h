/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where keepalive has no say: data is being retransmitted, or the peer's window is
 * closed and probed. */
#ifndef KATRACE_SUSPEND_H
#define KATRACE_SUSPEND_H

#include "filter.h"
#include "follow.h"

/* Ticks a second. */
const volatile __u32 hz = 1000;

/* unacked_of: bytes that the peer has not acknowledged, those that were not sent
 * yet included. A FIN among them takes a sequence number and is none. */
static __always_inline __u32 unacked_of(struct sock *sk, __u8 state)
{
	__u32 n = TCP(sk, write_seq) - TCP(sk, snd_una);

	return n - (n && (state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK));
}

/* waits_of: what keepalive waits for. Data that is on its way, or queued for the
 * moment, is nothing to tell of: a busy connection has it. */
static __always_inline enum record_waits waits_of(struct sock *sk)
{
	__u8 state;

	if (TCP(sk, write_seq) == TCP(sk, snd_una) || !keepalive_on(sk) ||
	    sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DEAD)))
		return WAITS_FOR_NOTHING;
	state = READ(sk, __sk_common.skc_state);
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_CLOSE) /* as why_no_probe() has it */
		return WAITS_FOR_NOTHING;
	if (TCP(sk, packets_out))
		return !ICSK(sk, icsk_retransmits) ? WAITS_FOR_NOTHING :
		       TCP(sk, snd_wnd)		   ? WAITS_FOR_RETRANSMISSION :
						     WAITS_FOR_WINDOW;
	return !TCP(sk, snd_wnd) && (ICSK(sk, icsk_backoff) || ICSK(sk, icsk_probes_out)) ? WAITS_FOR_WINDOW :
											     WAITS_FOR_NOTHING;
}

/* since_retransmission: us since the first one, to a ms mostly. */
static __always_inline __u32 since_retransmission(struct sock *sk)
{
	__u32 stamp = TCP(sk, retrans_stamp);
	__u64 now = bpf_ktime_get_ns();

	if (bpf_core_field_exists(struct tcp_sock, tcp_usec_ts) &&
	    BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, tcp_usec_ts))
		return (__u32)(now / 1000) - stamp;
	return ((__u32)(now / 1000000) - stamp) * 1000;
}

/* read_stall: what the timer that is in charge decides by. */
static __always_inline void read_stall(struct sock *sk, struct record *r)
{
	__u32 stamp;

	r->unacked = unacked_of(sk, r->state);
	r->retransmits = ICSK(sk, icsk_retransmits);
	r->retries2 = READ(READ(sk, __sk_common.skc_net.net), ipv4.sysctl_tcp_retries2);
	r->now = jiffies32();
	r->expires = READ(retransmit_timer_of(sk), expires);
	r->rto = ICSK(sk, icsk_rto);
	r->rto_max = 120 * hz; /* TCP_RTO_MAX */
	if (bpf_core_field_exists(struct inet_connection_sock, icsk_rto_max))
		r->rto_max = ICSK(sk, icsk_rto_max);
	if (r->waits == WAITS_FOR_RETRANSMISSION) {
		r->since = since_retransmission(sk);
	} else if (bpf_core_field_exists(struct inet_connection_sock, icsk_probes_tstamp)) {
		stamp = ICSK(sk, icsk_probes_tstamp);
		r->since = stamp ? r->now - stamp : 0;
	}
}

/* tell_suspension: the keepalive timer fires, and an episode begins or is over.
 * Called, for it is rare. */
static __noinline int tell_suspension(struct sock *sk, __u8 waits)
{
	struct firing *firing = this_firing();
	struct record *r;
	struct follow *f;

	if (!firing)
		return 0;
	r = &firing->made;
	__builtin_memset(r, 0, sizeof(*r));
	r->waits = waits;
	read_tuple(sk, r);
	if (!passes(r))
		return 0;
	f = waits ? follow(r) : followed_of(r);
	if (!f || f->waits == waits)
		return 0;
	if (waits)
		look_for_drops(sk, f);
	else if (!f->outstanding && !f->tried)
		settle(f);
	r->kind = waits ? RECORD_SUSPENDED : RECORD_RESUMED;
	r->flags |= FLAG_FOLLOWED;
	read_rest(sk, r);
	if (waits)
		read_stall(sk, r);
	else
		r->waits = f->waits;
	f->waits = waits;
	submit_long(r);
	return 0;
}

#endif
