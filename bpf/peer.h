/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is seen beside the timer: the peer's own probes, its answer at the
 * moment it comes, and who switched keepalive on. */
#ifndef KATRACE_PEER_H
#define KATRACE_PEER_H

#include "keepalive.h"

/* tcp_send_dupack: the answer to an unacceptable segment. A keepalive probe is
 * an empty one just before the expected sequence number; a zero-window probe
 * looks the same, but then our window is closed. The kernel answers twice a
 * second at the most (tcp_invalid_ratelimit): faster probes are not all seen. */
static __always_inline void handle_dupack(struct sock *sk, struct sk_buff *skb)
{
	struct record r = {};
	__u32 seq[2]; /* seq, end_seq */
	__u32 rcv_nxt = TCP(sk, rcv_nxt);
	void *cb = (void *)skb + bpf_core_field_offset(struct sk_buff, cb);

	if (bpf_probe_read_kernel(seq, sizeof(seq), cb) || seq[0] != seq[1] || rcv_nxt - seq[0] != 1 ||
	    (__s32)(TCP(sk, rcv_wup) + TCP(sk, rcv_wnd) - rcv_nxt) <= 0)
		return;
	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	follow_of(&r); /* so that its end is told */
	read_rest(sk, &r);
	r.kind = RECORD_PROBED;
	submit(&r);
}

/* tcp_probe: a segment received in tcp_rcv_established, not yet looked at. The
 * peer's RST is no answer, nor is a segment that will be dropped as old. */
static __always_inline void handle_segment(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_header tcp = {};
	struct record r = {};
	__u64 key = (__u64)sk;
	__u32 ack, una;
	struct follow *f;

	f = bpf_map_lookup_elem(&followed, &key);
	if (!f || !f->armed)
		return;
	if (bpf_probe_read_kernel(&tcp, sizeof(tcp), READ(skb, data)) ||
	    (tcp.flags & (TCP_FLAG_RST_BYTE | TCP_FLAG_ACK_BYTE)) != TCP_FLAG_ACK_BYTE ||
	    __builtin_bswap32(tcp.seq) != TCP(sk, rcv_nxt))
		return;
	ack = __builtin_bswap32(tcp.ack_seq);
	una = TCP(sk, snd_una);
	if ((__s32)(ack - una) < 0 || (__s32)(TCP(sk, snd_nxt) - ack) < 0)
		return;
	read_tuple(sk, &r);
	read_rest(sk, &r);
	r.kind = RECORD_ANSWER;
	r.flags = FLAG_ANSWERED;
	/* After several probes it cannot be told which one is answered. */
	if (f->outstanding == 1 && r.time - f->probed_ns < 1ULL << 32) {
		r.flags |= FLAG_RTT | FLAG_RTT_EXACT;
		r.rtt = r.time - f->probed_ns;
	}
	r.idle_for = 0;
	r.probes = 0;
	f->outstanding = 0;
	disarm(f);
	submit(&r);
}

/* tcp_set_keepalive: in process context, so the current task is the one. */
static __always_inline void handle_set_keepalive(struct sock *sk, int on)
{
	__u8 state = READ(sk, __sk_common.skc_state);
	struct record r = {};

	/* Not connected yet, or on already: nothing begins. */
	if (!on || state == TCP_CLOSE || state == TCP_LISTEN || keepalive_on(sk))
		return;
	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	follow_of(&r);
	read_rest(sk, &r);
	r.kind = RECORD_ENABLED;
	r.pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(r.comm, sizeof(r.comm));
	submit_long(&r);
}

#endif
