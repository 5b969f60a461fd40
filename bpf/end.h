/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How connections end that the timer does not give up: the peer's RST, and CLOSE. */
#ifndef KATRACE_END_H
#define KATRACE_END_H

#include "keepalive.h"

/* tcp_reset(sk, skb): what tcp_receive_reset, the tracepoint in it, does not
 * show: the segment. Its flags are kept until then. */
static __always_inline void handle_reset_segment(struct sock *sk, struct sk_buff *skb)
{
	struct firing *firing = this_firing();
	struct tcp_header tcp = {};

	if (!firing)
		return;
	firing->rst_sk = 0;
	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header)) ||
	    !(tcp.flags & TCP_FLAG_RST_BYTE))
		return;
	firing->rst_flags = tcp.flags;
	firing->rst_sk = (__u64)sk;
}

/* A firewall's RST comes at once after the probe that it refused. */
#define AT_ONCE_NS 100000000ULL

/* rst_of says who sent the RST. One without ACK answers a segment of a
 * connection that its sender does not know; one with ACK is from a sender that
 * knew it (tcp_v4_send_reset, tcp_send_active_reset; RFC 9293, 3.5.2). This host's
 * firewall answers for the peer: the probe was refused, so the peer has not
 * seen it. */
static __always_inline enum record_rst rst_of(struct sock *sk, const struct follow *f, __u64 now)
{
	struct firing *firing = this_firing();
	__u8 flags = 0;

	if (firing && firing->rst_sk == (__u64)sk) {
		flags = firing->rst_flags;
		firing->rst_sk = 0;
	}
	if (flags & TCP_FLAG_ACK_BYTE)
		return RST_ABORT;
	if (f && f->refused && now - f->probed_ns < AT_ONCE_NS)
		return RST_THIS_HOST;
	return flags ? RST_UNKNOWN_CONNECTION : RST_UNKNOWN;
}

/* tcp_receive_reset: told if a keepalive probe is out. */
static __always_inline void handle_receive_reset(struct sock *sk)
{
	struct record r = {};
	struct follow *f;

	count_seen(seen_resets);
	if (!ICSK(sk, icsk_probes_out) || !keepalive_on(sk) || !nothing_to_send(sk))
		return;
	read_tuple(sk, &r);
	f = followed_of(&r);
	/* Where nothing is known of its probes: one that is out was sent after the
	 * idle time. The kernel's count alone may be of probes before data came. */
	if (f ? !f->outstanding || heard_since(sk, f->probed_at) : heard_ago(sk) < idle_of(sk))
		return;
	if (!passes(&r))
		return;
	read_rest(sk, &r);
	r.kind = RECORD_PEER_RESET;
	r.reason = rst_of(sk, f, r.time);
	if (!is_subflow(sk)) /* tcp_reset() */
		r.ret = r.state == TCP_SYN_SENT ? ECONNREFUSED : r.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	f = follow(&r);
	if (f)
		f->ended = 1;
	submit(&r);
}

/* inet_sock_set_state: a followed connection ends. Its address can be another
 * socket's at once, so this has to be heard. */
static __always_inline void handle_state(struct sock *sk, int state)
{
	__u64 key = (__u64)sk, tuple, *known = NULL;
	struct record r = {};
	struct follow *f;
	int same = 0;

	if (state != TCP_CLOSE)
		return;
	f = bpf_map_lookup_elem(&followed, &key);
	if (closes)
		known = bpf_map_lookup_elem(&told, &key);
	if (!f && !known)
		return;
	read_tuple(sk, &r);
	if (!r.local_port) /* inet_put_port() has taken it already */
		r.local_port = __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport));
	tuple = hash_tuple(&r);
	if (known) {
		same = *known == tuple;
		bpf_map_delete_elem(&told, &key);
	}
	if (f && f->tuple != tuple) {
		forget(f, key);
		f = NULL;
	}
	if (!f && !same)
		return;
	if (f) {
		take_answer(sk, f, &r);
		if (f->ended)
			r.flags |= FLAG_GAVE_UP;
		forget(f, key);
	}
	read_rest(sk, &r);
	r.kind = RECORD_CLOSED;
	submit(&r);
}

#endif
