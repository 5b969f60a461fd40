/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One handler per kernel function, whatever it is attached by. */
#ifndef KATRACE_KEEPALIVE_H
#define KATRACE_KEEPALIVE_H

#include "filter.h"
#include "maps.h"
#include "sock.h"

/* --all: firings that sent nothing, zero-window probes, plain closes. */
const volatile __u8 all = 0;

/* --rtt: exact round trips, from every segment that is received. */
const volatile __u8 exact_rtt = 0;
/* ICMP errors are hooked: connections have to be found by their tuple. */
const volatile __u8 find_by_tuple = 0;

static __always_inline void submit(const struct record *r)
{
	if (bpf_ringbuf_output(&ring, (void *)r, RECORD_SHORT, 0))
		__sync_fetch_and_add(&lost_ring, 1);
}

static __always_inline void submit_long(const struct record *r)
{
	if (bpf_ringbuf_output(&ring, (void *)r, sizeof(*r), 0))
		__sync_fetch_and_add(&lost_ring, 1);
}

/* A hash of the tuple that read_tuple fills in (multiply and fold each word). */
static __always_inline __u64 hash_tuple(const struct record *r)
{
	const __u64 *words = (const __u64 *)r->local;
	__u64 h = (__u64)r->netns << 32 | (__u32)r->local_port << 16 | r->remote_port;

	for (int i = 0; i < 4; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h;
}

/* follow_of finds or makes the socket's entry; NULL if the table is full. */
static __always_inline struct follow *follow_of(const struct record *r)
{
	struct follow *f, fresh = {};

	f = bpf_map_lookup_elem(&followed, &r->sk);
	if (f)
		return f;
	if (find_by_tuple)
		fresh.tuple = hash_tuple(r);
	if (bpf_map_update_elem(&followed, &r->sk, &fresh, BPF_ANY) ||
	    (find_by_tuple && bpf_map_update_elem(&by_tuple, &fresh.tuple, &r->sk, BPF_ANY)))
		__sync_fetch_and_add(&lost_follow, 1);
	return bpf_map_lookup_elem(&followed, &r->sk);
}

/* arm, disarm: is the connection's next segment an answer to be timed? */
static __always_inline void arm(struct follow *f)
{
	if (exact_rtt && !f->armed) {
		f->armed = 1;
		__sync_fetch_and_add(&armed, 1);
	}
}

static __always_inline void disarm(struct follow *f)
{
	if (exact_rtt && f->armed) {
		f->armed = 0;
		__sync_fetch_and_add(&armed, -1);
	}
}

/* Has the peer been heard since the last probe? */
static __always_inline int is_answered(struct sock *sk, const struct follow *f)
{
	return f->outstanding && (__s32)(last_heard(sk) - f->probed_at) >= 0;
}

/* take_answer notes in r that the peer has been heard, and the round trip where
 * it can be told: a single probe, and a single segment since, is its answer. */
static __always_inline void take_answer(struct sock *sk, struct follow *f, struct record *r)
{
	if (!is_answered(sk, f))
		return;
	r->flags |= FLAG_ANSWERED;
	if (f->outstanding == 1 && f->left && TCP(sk, segs_in) - f->segs_in == 1) {
		r->flags |= FLAG_RTT;
		r->rtt = last_heard(sk) - f->probed_at;
	}
	f->outstanding = 0;
	disarm(f);
}

/* The kernel's count of probes goes up one by one, and falls to 0 only. Where it
 * has gone up by more since it was last told, a program did not run. */
static __always_inline void note_unseen(struct follow *f, __u8 before)
{
	if (f->told && before > f->probes)
		__sync_fetch_and_add(&lost_unseen, before - f->probes);
}

/* tcp_keepalive_timer ends. Only attached where it has to be: for --all, and
 * by the tracepoints. */
static __always_inline void handle_firing_end(struct firing *firing)
{
	/* Without a local port it is closed already, and cannot be named. */
	if (all && firing->sk && !firing->done && firing->rec.local_port && passes(&firing->rec)) {
		firing->rec.time = bpf_ktime_get_boot_ns(); /* an answer may have been told since */
		submit(&firing->rec);
	}
	firing->sk = 0;
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
		/* So that its end is told, and user space can forget it. */
		if (firing->rec.state != TCP_CLOSE && firing->rec.local_port && passes(&firing->rec))
			follow_of(&firing->rec);
		/* An orphan's end comes within the firing: this has to be told before. */
		if (firing->rec.reason == REASON_FIN_WAIT2)
			handle_firing_end(firing);
	}
	f = bpf_map_lookup_elem(&followed, &key);
	if (f && is_answered(sk, f)) {
		struct record r = { .reason = why_no_probe(sk) };

		if (!r.reason)
			return;
		take_answer(sk, f, &r);
		read_tuple(sk, &r);
		read_rest(sk, &r);
		r.kind = RECORD_ANSWER;
		submit(&r);
	}
}

/* A probe was sent, or tried. ret is what tcp_write_wakeup returned, where
 * flags has FLAG_RET; probes is icsk_probes_out with this probe counted. */
static __always_inline void handle_probe(struct sock *sk, __u8 probes, int ret, __u8 flags)
{
	struct record r = {};
	struct follow *f;

	read_tuple(sk, &r);
	if (!passes(&r))
		return;
	f = follow_of(&r);
	if (f)
		take_answer(sk, f, &r);
	read_rest(sk, &r);
	r.kind = RECORD_PROBE;
	r.flags |= flags;
	r.ret = ret;
	r.probes = probes;
	submit(&r);
	if (f && ret <= 0) {
		note_unseen(f, probes - 1);
		f->probes = probes;
		f->told = 1;
		f->probed_at = jiffies32();
		f->segs_in = TCP(sk, segs_in);
		f->left = !ret;
		if (f->outstanding < 255)
			f->outstanding++;
		if (exact_rtt && f->left) {
			f->probed_ns = r.time;
			arm(f);
		}
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
	follow_of(&r);
	read_rest(sk, &r);
	r.kind = RECORD_WINDOW_PROBE;
	r.flags = flags;
	r.ret = ret;
	r.probes = probes;
	submit(&r);
}

/* tcp_write_wakeup is over; its caller counts the probe after it, if ret <= 0. */
static __always_inline void handle_wakeup_end(struct sock *sk, int ret)
{
	__u8 probes = ICSK(sk, icsk_probes_out) + (ret <= 0);
	struct firing *firing = this_firing();

	if (!nothing_to_send(sk)) {
		handle_window_probe(sk, probes, ret, FLAG_RET);
		return;
	}
	if (firing)
		firing->done = 1;
	handle_probe(sk, probes, ret, FLAG_RET);
}

/* tcp_send_active_reset. Only keepalive's giving-up is told: in a firing of
 * this socket's timer, not by a process (which would hold the socket's lock),
 * not for an orphan in FIN_WAIT2, and with the condition fulfilled by which
 * tcp_keepalive_timer() gives up. */
static __always_inline void handle_reset(struct sock *sk)
{
	struct firing *firing = this_firing();
	struct record r = {};
	struct follow *f;

	if (!firing || firing->sk != (__u64)sk || READ(sk, sk_lock.owned) ||
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
	if (!is_subflow(sk))
		r.ret = READ(sk, sk_err_soft) ?: ETIMEDOUT; /* tcp_write_err() */
	f = follow_of(&r); /* its probes may have been sent before the start */
	if (f) {
		f->ended = 1;
		note_unseen(f, r.probes);
	}
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
	if (!is_subflow(sk)) /* tcp_reset() */
		r.ret = r.state == TCP_SYN_SENT ? ECONNREFUSED : r.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	if (!f)
		f = follow_of(&r);
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
	disarm(f);
	if (find_by_tuple)
		bpf_map_delete_elem(&by_tuple, &f->tuple);
	bpf_map_delete_elem(&followed, &key);
	read_tuple(sk, &r);
	read_rest(sk, &r);
	r.kind = RECORD_CLOSED;
	submit(&r);
}

#endif
