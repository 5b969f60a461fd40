/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One handler per kernel function, whatever it is attached by. */
#ifndef KATRACE_KEEPALIVE_H
#define KATRACE_KEEPALIVE_H

#include "filter.h"
#include "maps.h"
#include "sock.h"

/* --all: firings that sent nothing, zero-window probes, plain closes. */
const volatile __u8 all = 0;

static __always_inline void submit(const struct record *r)
{
	if (bpf_ringbuf_output(&ring, (void *)r, sizeof(*r), 0))
		count_lost(LOST_RING);
}

/* Has the peer been heard since the last probe? Notes the round trip where it
 * can be told: a single probe, and a single segment since, is its answer. */
static __always_inline int take_answer(struct sock *sk, struct follow *f, struct record *r)
{
	__u32 heard;

	if (!f->outstanding)
		return 0;
	heard = last_heard(sk);
	if ((__s32)(heard - f->probed_at) < 0)
		return 0;
	r->flags |= FLAG_ANSWERED;
	if (f->outstanding == 1 && f->left && TCP(sk, segs_in) - f->segs_in == 1) {
		r->flags |= FLAG_RTT;
		r->rtt = heard - f->probed_at;
	}
	f->outstanding = 0;
	return 1;
}

/* tcp_keepalive_timer begins. An answer to the last probe is told now, unless
 * this firing will probe again: then the probe's record tells it. */
static __always_inline void handle_firing(struct sock *sk)
{
	struct firing *firing = this_firing();
	__u64 key = (__u64)sk;
	struct follow *f;

	if (!firing)
		return;
	firing->sk = key;
	firing->done = 0;
	if (all) {
		__builtin_memset(&firing->rec, 0, sizeof(firing->rec));
		read_tuple(sk, &firing->rec);
		read_rest(sk, &firing->rec);
		firing->rec.kind = RECORD_TIMER;
		firing->rec.reason = why_no_probe(sk);
	}
	f = bpf_map_lookup_elem(&followed, &key);
	if (f && f->outstanding) {
		struct record r = { .reason = why_no_probe(sk) };

		if (!r.reason || !take_answer(sk, f, &r))
			return;
		read_tuple(sk, &r);
		read_rest(sk, &r);
		r.kind = RECORD_ANSWER;
		submit(&r);
	}
}

/* tcp_keepalive_timer ends. Only attached where it has to be: for --all, and
 * by the tracepoints. */
static __always_inline void handle_firing_end(struct firing *firing)
{
	if (all && firing->sk && !firing->done && passes(&firing->rec))
		submit(&firing->rec);
	firing->sk = 0;
}

/* A probe was sent, or tried. ret is what tcp_write_wakeup returned, where
 * flags has FLAG_RET; probes is icsk_probes_out with this probe counted. */
static __always_inline void handle_probe(struct sock *sk, __u8 probes, int ret, __u8 flags)
{
	struct follow *f, fresh = {};
	struct record r = {};
	__u64 key = (__u64)sk;

	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	f = bpf_map_lookup_elem(&followed, &key);
	if (!f) {
		if (bpf_map_update_elem(&followed, &key, &fresh, BPF_ANY))
			count_lost(LOST_FOLLOW);
		f = bpf_map_lookup_elem(&followed, &key);
	}
	if (f)
		take_answer(sk, f, &r);
	read_rest(sk, &r);
	r.kind = RECORD_PROBE;
	r.flags |= flags;
	r.ret = ret;
	r.probes = probes;
	submit(&r);
	if (f && ret <= 0) {
		f->probed_at = jiffies32();
		f->segs_in = TCP(sk, segs_in);
		f->left = !ret;
		if (f->outstanding < 255)
			f->outstanding++;
	}
}

static __always_inline void handle_window_probe(struct sock *sk, __u8 probes, int ret, __u8 flags)
{
	struct record r = {};

	if (!all)
		return;
	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	read_rest(sk, &r);
	r.kind = RECORD_WINDOW_PROBE;
	r.flags = flags;
	r.ret = ret;
	r.probes = probes;
	submit(&r);
}

/* tcp_write_wakeup begins: whose is it? */
static __always_inline void handle_wakeup(struct sock *sk)
{
	struct firing *firing = this_firing();

	if (!firing)
		return;
	firing->wakeup_sk = (__u64)sk;
	firing->is_keepalive = nothing_to_send(sk);
	if (firing->is_keepalive)
		firing->done = 1;
}

/* tcp_write_wakeup returns; the caller counts the probe after it, if ret <= 0. */
static __always_inline void handle_wakeup_end(int ret)
{
	struct firing *firing = this_firing();
	struct sock *sk;
	__u8 probes;

	if (!firing || !firing->wakeup_sk)
		return;
	sk = (struct sock *)firing->wakeup_sk;
	firing->wakeup_sk = 0;
	probes = ICSK(sk, icsk_probes_out) + (ret <= 0);
	if (firing->is_keepalive)
		handle_probe(sk, probes, ret, FLAG_RET);
	else
		handle_window_probe(sk, probes, ret, FLAG_RET);
}

/* tcp_send_active_reset. Only keepalive's giving-up is told: in a firing of
 * this socket's timer, not by a process (which would hold the socket's lock),
 * not for an orphan in FIN_WAIT2, and with the condition fulfilled by which
 * tcp_keepalive_timer() gives up. */
static __always_inline void handle_reset(struct sock *sk)
{
	struct firing *firing = this_firing();
	struct record r = {};
	__u64 key = (__u64)sk;
	struct follow *f;

	if (!firing || firing->sk != key || BPF_CORE_READ(sk, sk_lock.owned) ||
	    is_fin_wait2_orphan(sk) || !keepalive_on(sk))
		return;
	read_tuple(sk, &r);
	read_rest(sk, &r);
	if (r.user_timeout) {
		if (!r.probes)
			return;
		r.reason = REASON_USER_TIMEOUT;
	} else {
		if (r.probes < r.cnt)
			return;
		r.reason = REASON_COUNT;
	}
	firing->done = 1;
	firing->sk = 0;
	if (!passes(&r))
		return;
	r.kind = RECORD_RESET;
	r.ret = BPF_CORE_READ(sk, sk_err_soft) ?: ETIMEDOUT; /* tcp_write_err() */
	f = bpf_map_lookup_elem(&followed, &key);
	if (f)
		f->ended = 1;
	submit(&r);
}

/* tcp_receive_reset: told if it is the answer to a probe. */
static __always_inline void handle_receive_reset(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct record r = {};
	struct follow *f;

	if (!ICSK(sk, icsk_probes_out) || !keepalive_on(sk) || !nothing_to_send(sk))
		return;
	f = bpf_map_lookup_elem(&followed, &key);
	if (f && (!f->outstanding || (__s32)(last_heard(sk) - f->probed_at) >= 0))
		return;
	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	read_rest(sk, &r);
	r.kind = RECORD_PEER_RESET;
	/* tcp_reset() */
	r.ret = r.state == TCP_SYN_SENT ? ECONNREFUSED : r.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	if (f)
		f->ended = 1;
	submit(&r);
}

/* inet_sock_set_state: a followed connection ends. Its address can be another
 * socket's at once, so this has to be heard. The tuple is partly gone. */
static __always_inline void handle_state(struct sock *sk, int state)
{
	__u64 key = (__u64)sk;
	struct record r = {};
	struct follow *f;

	if (state != TCP_CLOSE)
		return;
	f = bpf_map_lookup_elem(&followed, &key);
	if (!f)
		return;
	take_answer(sk, f, &r);
	if (f->ended)
		r.flags |= FLAG_GAVE_UP;
	bpf_map_delete_elem(&followed, &key);
	read_tuple(sk, &r);
	read_rest(sk, &r);
	r.kind = RECORD_CLOSED;
	submit(&r);
}

#endif
