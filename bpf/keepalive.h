/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* One handler per kernel function, whatever it is attached by. */
#ifndef KATRACE_KEEPALIVE_H
#define KATRACE_KEEPALIVE_H

#include "suspend.h"

/* --all: firings that sent nothing, zero-window probes, plain closes. */
const volatile __u8 all = 0;
/* tcp_keepalive_timer ends. Only attached where it has to be: for --all, and
 * by the tracepoints. */
static __always_inline void handle_firing_end(struct firing *firing)
{
	/* Without a local port it is closed already, and cannot be named. What another
	 * processor closes since the firing began is told as closed. */
	if (all && firing->sk && !firing->done && firing->rec.local_port &&
	    (firing->rec.state == TCP_CLOSE || READ((struct sock *)firing->sk, __sk_common.skc_state) != TCP_CLOSE) &&
	    passes(&firing->rec)) {
		firing->rec.time = bpf_ktime_get_boot_ns(); /* an answer may have been told since */
		submit(&firing->rec);
	}
	firing->sk = 0;
}

/* tcp_keepalive_timer begins. An answer to the last probe is told now, unless
 * this firing will probe again: then the probe's record tells it. idle: there is
 * nothing_to_send(). */
static __always_inline void handle_firing(struct firing *firing, struct sock *sk, int idle)
{
	__u64 key = (__u64)sk;
	__u32 now, ago;
	struct follow *f;
	struct record *r;
	struct whose w;
	struct sent s;
	__u8 waits, reason;

	count_seen(seen_firings);
	firing->sk = key;
	firing->done = 0;
	if (all) {
		__builtin_memset(&firing->rec, 0, sizeof(firing->rec));
		read_tuple(sk, &firing->rec);
		read_rest(sk, &firing->rec);
		firing->rec.kind = RECORD_TIMER;
		firing->rec.reason = why_no_probe(sk, idle, heard_ago(sk));
		if (firing->rec.state != TCP_CLOSE && firing->rec.local_port && passes(&firing->rec))
			remember(&firing->rec);
		/* An orphan's end comes within the firing: this has to be told before. */
		if (firing->rec.reason == REASON_FIN_WAIT2)
			handle_firing_end(firing);
	}
	f = bpf_map_lookup_elem(&followed, &key);
	firing->followed = !!f;
	waits = idle ? WAITS_FOR_NOTHING : waits_of(sk);
	if (waits != (f ? f->waits : 0))
		tell_suspension(sk, waits);
	else if (f && waits)
		look_for_drops(sk, f);
	if (!f || !f->outstanding)
		return;
	now = jiffies32();
	ago = heard_before(sk, now);
	if (ago > now - f->probed_at)
		return;
	reason = why_no_probe(sk, idle, ago);
	if (!reason)
		return;
	r = &firing->made;
	__builtin_memset(r, 0, RECORD_SHORT);
	read_addresses(sk, r, &w, UNTYPED);
	/* Without a local port it is being closed by another processor: that tells it. */
	if (w.hash != f->hash || !r->local_port)
		return;
	r->netns = f->netns;
	read_state(sk, w.net, r, &s, UNTYPED);
	take_answer(f, r, &s);
	if (watching && !tell_answer(sk, f, r, r->probes))
		return;
	r->time = bpf_ktime_get_boot_ns();
	r->flags |= FLAG_FOLLOWED;
	r->kind = RECORD_ANSWER;
	r->reason = reason;
	recall(sk, f, r, UNTYPED);
	submit(r);
}

/* read_probe reads, into an empty record, what a probe's is made of; 0 if it cannot. */
static __always_inline int read_probe(struct sock *sk, struct record *r, struct whose *w, struct sent *s, int typed)
{
	__builtin_memset(r, 0, RECORD_SHORT);
	read_addresses(sk, r, w, typed);
	return read_state(sk, w->net, r, s, typed);
}

/* A probe was sent, or tried: r, w and s are what read_probe read. ret is what
 * tcp_write_wakeup returned, where flags has FLAG_RET; probes is icsk_probes_out
 * with this probe counted. */
static __always_inline void handle_probe(struct sock *sk, struct record *r, const struct whose *w, const struct sent *s,
					 __u8 probes, int ret, __u8 flags, int typed)
{
	struct follow *f = bpf_map_lookup_elem(&followed, &r->sk);

	if (f && f->hash == w->hash) { /* it has passed the filter */
		r->netns = f->netns;
		r->flags |= FLAG_FOLLOWED;
	} else {
		r->netns = netns_of_net(w->net, typed);
		if (!passes(r))
			return;
		f = follow(r);
	}
	r->time = bpf_ktime_get_boot_ns();
	if (f)
		take_answer(f, r, s);
	count_probe(ret);
	if (!watching || !f || tell_probe(sk, f, r, ret, probes)) {
		if (f)
			recall(sk, f, r, typed);
		else
			read_owner_as(sk, r, typed);
		r->kind = RECORD_PROBE;
		r->flags |= flags;
		r->ret = ret;
		r->probes = probes;
		submit(r);
	}
	if (f && ret <= 0) {
		note_unseen(f, probes - 1);
		f->probes = probes;
		f->told = 1;
		f->probed_at = s->now;
		f->probed_ns = r->time;
		f->segs_in = s->segs_in;
		f->data_segs_in = s->data_segs_in;
		f->write_seq = s->write_seq;
		f->left = !ret;
		f->refused = ret == -EPERM;
		ask(f);
		if (f->left)
			arm(f);
	} else if (f) {
		try_again(sk, f);
	}
}

static __always_inline void handle_window_probe(struct sock *sk, struct record *r, const struct whose *w, __u8 probes,
						int ret)
{
	if (!all)
		return;
	r->netns = netns_of_net(w->net, UNTYPED);
	if (!passes(r))
		return;
	remember(r);
	read_owner(sk, r);
	r->time = bpf_ktime_get_boot_ns();
	r->kind = RECORD_WINDOW_PROBE;
	r->flags |= FLAG_RET;
	r->ret = ret;
	r->probes = probes;
	submit(r);
}

/* tcp_write_wakeup is over; its caller counts the probe after it, if ret <= 0. */
static __always_inline void handle_wakeup_end(struct firing *firing, struct sock *sk, int ret, int typed)
{
	SHORT_RECORD(r);
	struct whose w;
	struct sent s;
	__u8 probes;

	if (!read_probe(sk, r, &w, &s, typed))
		return;
	probes = r->probes + (ret <= 0);
	if (is_busy(&s)) {
		handle_window_probe(sk, r, &w, probes, ret);
		return;
	}
	firing->done = 1;
	handle_probe(sk, r, &w, &s, probes, ret, FLAG_RET, typed);
}

/* tcp_send_active_reset. Only keepalive's giving-up is told: in a firing of
 * this socket's timer, not by a process (which would hold the socket's lock),
 * and with all the conditions fulfilled by which tcp_keepalive_timer() gives up.
 * A child of a listener that closes is reset in CLOSE, perhaps while .sk still
 * names it from its last firing. */
static __always_inline void handle_reset(struct sock *sk)
{
	struct firing *firing = this_firing();
	struct record r = {};
	struct follow *f;

	if (!firing || firing->sk != (__u64)sk || why_no_probe(sk, 0, heard_ago(sk)))
		return;
	read_tuple(sk, &r);
	read_rest(sk, &r);
	if (r.user_timeout) {
		if (!r.probes || (__u64)r.idle_for * 1000 < (__u64)r.user_timeout * hz)
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
	f = end(&r); /* its probes may have been sent before the start */
	if (f)
		note_unseen(f, r.probes);
	count(COUNT_RESET + r.reason - REASON_COUNT);
	if (watching && f)
		tell_always(f, &r);
	submit(&r);
}

#endif
