/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered of connections from one hook to the next. A socket's
 * address can be another connection's by now, if the program that hears of ends
 * was not run for the old one: an entry is its own connection's only if it has
 * the same tuple. */
#ifndef KATRACE_FOLLOW_H
#define KATRACE_FOLLOW_H

#include "submit.h"

/* --rtt: exact round trips, from every segment that is received. */
const volatile __u8 exact_rtt = 0;
/* Closes are wanted of connections that were told about and not probed. */
const volatile __u8 closes = 0;

/* The part of the tuple that is not addresses. */
static __always_inline __u64 ports_of(const struct record *r)
{
	return (__u64)r->netns << 32 | (__u32)r->local_port << 16 | r->remote_port;
}

/* A hash of the tuple that read_tuple fills in (multiply and fold each word). */
static __always_inline __u64 hash_tuple(const struct record *r)
{
	const __u64 *words = (const __u64 *)r->local;
	__u64 h = ports_of(r);

	for (int i = 0; i < 4; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h;
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

static __always_inline void wait(struct follow *f)
{
	if (!f->waiting) {
		f->waiting = 1;
		__sync_fetch_and_add(&waiting, 1);
	}
}

/* ask notes that a probe was sent, settle that the peer was heard. */
static __always_inline void ask(struct follow *f)
{
	if (f->outstanding < 255)
		f->outstanding++;
	f->tried = 0;
	wait(f);
}

static __always_inline void settle(struct follow *f)
{
	f->outstanding = 0;
	f->tried = 0;
	f->drops = 0;
	if (f->waiting) {
		f->waiting = 0;
		__sync_fetch_and_add(&waiting, -1);
	}
	disarm(f);
}

/* try_again notes that the local queue refused a probe: the next one is looked
 * for among what is dropped. */
static __always_inline void try_again(struct sock *sk, struct follow *f)
{
	if (f->outstanding)
		return;
	if (f->tried && heard_since(sk, f->probed_at))
		f->drops = 0;
	f->tried = 1;
	f->probed_at = jiffies32();
	wait(f);
}

/* look_for_drops: the timer finds the connection suspended. Of what is dropped from
 * now on the first of each kind is told, until the peer is heard; then again. */
static __always_inline void look_for_drops(struct sock *sk, struct follow *f)
{
	if (f->outstanding || f->tried)
		return;
	if (!f->waiting || heard_since(sk, f->probed_at)) {
		f->drops = 0;
		f->probed_at = jiffies32();
	}
	wait(f);
}

/* forget drops an entry. */
static __always_inline void forget(struct follow *f, __u64 key)
{
	settle(f);
	count_verdicts(f->story.verdict, -1);
	bpf_map_delete_elem(&by_tuple, &f->tuple);
	bpf_map_delete_elem(&followed, &key);
}

/* followed_of finds the connection's entry; NULL if it has none. r has the tuple. */
static __always_inline struct follow *followed_of(const struct record *r)
{
	struct follow *f = bpf_map_lookup_elem(&followed, &r->sk);

	return f && f->tuple == hash_tuple(r) ? f : NULL;
}

/* As an AF_INET6 socket shows an IPv4 address: ::ffff:a.b.c.d. */
static __always_inline void map_addr(__u8 *addr)
{
	__builtin_memcpy(addr + 12, addr, 4);
	__builtin_memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
}

/* followed_by_tuple finds the entry of the connection whose tuple r holds; NULL
 * if it has none. Then r has the tuple as read_tuple() has it, and the socket. */
static __always_inline struct follow *followed_by_tuple(struct record *r)
{
	const __u64 *a = (const __u64 *)r->local;
	__u64 asked[4], ports = ports_of(r), tuple = hash_tuple(r), *key;
	struct follow *f;

	key = bpf_map_lookup_elem(&by_tuple, &tuple);
	if (!key)
		return NULL;
	f = bpf_map_lookup_elem(&followed, key);
	if (!f || f->tuple != tuple)
		return NULL;
	for (int i = 0; i < 4; i++)
		asked[i] = a[i];
	read_tuple((struct sock *)*key, r);
	/* The hash may have led to another socket. */
	if (a[0] != asked[0] || a[1] != asked[1] || a[2] != asked[2] || a[3] != asked[3] || ports_of(r) != ports)
		return NULL;
	return f;
}

/* put adds to a table of connections, and counts where that fails. A full table
 * says E2BIG. */
static __always_inline void put(void *map, const __u64 *key, const void *value)
{
	long err = bpf_map_update_elem(map, key, value, BPF_ANY);

	if (err == -E2BIG)
		__sync_fetch_and_add(&lost_follow, 1);
	else if (err)
		__sync_fetch_and_add(&lost_memory, 1);
}

/* follow finds or makes the connection's entry; NULL if the table is full. */
static __always_inline struct follow *follow(struct record *r)
{
	struct follow *f, fresh = { .tuple = hash_tuple(r) };

	f = bpf_map_lookup_elem(&followed, &r->sk);
	if (f && f->tuple != fresh.tuple) {
		forget(f, r->sk);
		f = NULL;
	}
	if (!f) {
		put(&followed, &r->sk, &fresh);
		f = bpf_map_lookup_elem(&followed, &r->sk);
		if (f)
			count_verdicts(VERDICT_NONE, 1);
		if (f && bpf_map_update_elem(&by_tuple, &fresh.tuple, &r->sk, BPF_ANY))
			__sync_fetch_and_add(&lost_tuple, 1);
	}
	if (f)
		r->flags |= FLAG_FOLLOWED;
	return f;
}

/* end notes that the connection's end is told, by this record. */
static __always_inline struct follow *end(struct record *r)
{
	struct follow *f = follow(r);
	struct ending e = { .told = 1 };

	if (f)
		f->ended = 1;
	else
		bpf_map_update_elem(&endings, &r->sk, &e, BPF_ANY);
	return f;
}

/* remember notes a connection that is told about and not probed, where its end
 * is to be told. */
static __always_inline void remember(const struct record *r)
{
	__u64 tuple;

	if (!closes || followed_of(r))
		return;
	tuple = hash_tuple(r);
	put(&told, &r->sk, &tuple);
}

/* Has the peer been heard since the last probe? */
static __always_inline int is_answered(struct sock *sk, const struct follow *f)
{
	return f->outstanding && heard_since(sk, f->probed_at);
}

/* take_answer notes in r that the peer has been heard, and the round trip where
 * it can be told: a single probe is out, and a single segment without data has
 * come since, while nothing was sent that it might acknowledge. */
static __always_inline void take_answer(struct sock *sk, struct follow *f, struct record *r)
{
	if (!is_answered(sk, f))
		return;
	r->flags |= FLAG_ANSWERED;
	if (f->outstanding == 1 && f->left && TCP(sk, segs_in) - f->segs_in == 1 &&
	    TCP(sk, data_segs_in) == f->data_segs_in && TCP(sk, write_seq) == f->write_seq) {
		r->flags |= FLAG_RTT;
		r->rtt = jiffies32() - heard_ago(sk) - f->probed_at;
	}
	settle(f);
}

/* The kernel's count of probes goes up one by one, and falls to 0 only. Where it
 * has gone up by more since it was last told, a program did not run. */
static __always_inline void note_unseen(struct follow *f, __u8 before)
{
	if (f->told && before > f->probes)
		__sync_fetch_and_add(&lost_unseen, before - f->probes);
}

#endif
