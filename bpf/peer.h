/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is seen beside the timer: the peer's own probes, its answer at the
 * moment it comes, and who switched keepalive on. */
#ifndef KATRACE_PEER_H
#define KATRACE_PEER_H

#include "keepalive.h"
#include "task.h"

/* The peer's keepalive probe is a segment just before the expected sequence
 * number, empty or with one byte (RFC 1122 4.2.3.6: Windows, older BSDs). A
 * zero-window probe looks the same, but then our window is closed. A byte that
 * was sent again because our ACK was lost looks the same, but its sender pushes
 * it (PSH), and it comes soon after the data. */
static __always_inline int handle_old_segment(struct sock *sk, struct sk_buff *skb, int typed)
{
	const enum reading how = reading(typed);
	struct tcp_sock *tp = tcp_sock_of(sk, how);
	struct record r = {};
	struct tcp_header tcp = {};
	__u32 seq[2]; /* seq, end_seq */
	__u32 rcv_nxt;
	void *cb = (void *)skb + bpf_core_field_offset(struct sk_buff, cb);

	if (how == BY_TYPE && !tp)
		return 0;
	rcv_nxt = FIELD(tp, rcv_nxt);
	if (bpf_probe_read_kernel(seq, sizeof(seq), cb) || rcv_nxt - seq[0] != 1 || seq[1] - seq[0] > 1 ||
	    (__s32)(FIELD(tp, rcv_wup) + FIELD(tp, rcv_wnd) - rcv_nxt) <= 0)
		return 0;
	if (seq[1] != seq[0] &&
	    (bpf_probe_read_kernel(&tcp, sizeof(tcp), BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header)) ||
	     tcp.flags != TCP_FLAG_ACK_BYTE || jiffies32() - ICSK(sk, icsk_ack.lrcvtime) < hz))
		return 0;
	read_tuple_as(sk, &r, typed);
	if (!passes(&r))
		return 0;
	count(COUNT_PEER_PROBES);
	if (quiet)
		return 1;
	remember(&r);
	read_rest_as(sk, &r, typed);
	r.kind = RECORD_PROBED;
	submit(&r);
	return 1;
}

/* is_old: was the segment, or all that is in it, received before? */
static __always_inline int is_old(__u32 reason)
{
	return reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_TCP_OLD_SEQUENCE) ||
	       reason == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_TCP_OLD_DATA);
}

/* skb:kfree_skb, where it has the socket (6.11 and later): a probe is dropped as
 * old, whether it is empty (tcp_sequence) or not (tcp_data_queue). All that the
 * system drops comes by here. */
static __noinline int handle_old_drop(struct sk_buff *skb, __u32 reason, struct sock *sk)
{
	return sk && is_old(reason) ? handle_old_segment(sk, skb, UNTYPED) : 0;
}

/* tcp_probe: a segment received in tcp_rcv_established, not yet looked at. The
 * peer's RST is no answer, nor is a segment that will be dropped as old. */
static __always_inline void handle_segment(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_header tcp = {};
	struct record r = {};
	__u64 key = (__u64)sk;
	__u32 ack, una, payload;
	struct follow *f;

	f = bpf_map_lookup_elem(&followed, &key);
	if (!f || !f->armed)
		return;
	payload = READ(skb, len);
	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), READ(skb, data)) ||
	    (tcp.flags & (TCP_FLAG_RST_BYTE | TCP_FLAG_ACK_BYTE)) != TCP_FLAG_ACK_BYTE ||
	    __builtin_bswap32(tcp.seq) != TCP(sk, rcv_nxt))
		return;
	ack = __builtin_bswap32(tcp.ack_seq);
	una = TCP(sk, snd_una);
	if ((__s32)(ack - una) < 0 || (__s32)(TCP(sk, snd_nxt) - ack) < 0)
		return;
	read_tuple(sk, &r);
	if (f->hash != hash_of(sk))
		return;
	if (watching && !tell_answer(sk, f, &r, 0)) {
		settle(f);
		return;
	}
	read_rest(sk, &r);
	payload -= (tcp.offset >> 4) * 4;
	r.kind = RECORD_ANSWER;
	r.flags |= FLAG_ANSWERED | FLAG_FOLLOWED;
	/* Data is no answer to a probe, nor is an ACK of what was sent since. After
	 * several probes it cannot be told which one is answered. */
	if (!payload && TCP(sk, write_seq) == f->write_seq && f->outstanding == 1 && r.time - f->probed_ns < 1ULL << 32) {
		r.flags |= FLAG_RTT | FLAG_RTT_EXACT;
		r.rtt = r.time - f->probed_ns;
	}
	r.idle_for = 0;
	r.probes = 0;
	settle(f);
	submit(&r);
}

/* tcp_set_keepalive. */
static __always_inline void handle_set_keepalive(struct sock *sk, int on)
{
	__u8 state = READ(sk, __sk_common.skc_state);
	struct record r = {};

	/* Not connected yet, or on already: nothing begins. */
	if (quiet || !on || state == TCP_CLOSE || state == TCP_LISTEN || keepalive_on(sk))
		return;
	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	remember(&r);
	read_rest(sk, &r);
	r.kind = RECORD_ENABLED;
	name_doer(sk, &r);
	submit_long(&r);
}

#endif
