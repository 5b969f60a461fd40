/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is remembered of connections from one hook to the next. A socket's
 * address can be another connection's by now, if the program that hears of ends
 * was not run for the old one: an entry is its own connection's only if the
 * kernel's own hash of its tuple (32 bits, with a secret) is the same. */
#ifndef KATRACE_FOLLOW_H
#define KATRACE_FOLLOW_H

#include "submit.h"

/* --rtt: exact round trips, from every segment that is received. */
const volatile __u8 exact_rtt = 0;
/* Closes are wanted of connections that were told about and not probed. */
const volatile __u8 closes = 0;

/* An address as IPv6: an IPv4 address is ::ffff:a.b.c.d, as an AF_INET6 socket
 * shows it. */
struct address {
	__u64 words[2];
};

static __always_inline struct address address_of(__u8 family, const void *addr)
{
	const __u64 *words = addr;

	if (family == AF_INET)
		return (struct address){ { 0, (__u64)*(const __u32 *)addr << 32 | 0xffff0000 } };
	return (struct address){ { words[0], words[1] } };
}

/* is_ipv4: what a segment by IPv6 has in its header is none of ours then. */
static __always_inline int is_ipv4(const struct address *a)
{
	return !a->words[0] && (__u32)a->words[1] == 0xffff0000;
}

/* A connection. Two sockets of both families cannot have the same. */
struct tuple {
	struct address local, remote;
	__u32 netns;
	__u16 local_port, remote_port;
};

/* tuple_of is what read_tuple fills in. */
static __always_inline struct tuple tuple_of(const struct record *r)
{
	return (struct tuple){
		.local = address_of(r->family, r->local),
		.remote = address_of(r->family, r->remote),
		.netns = r->netns,
		.local_port = r->local_port,
		.remote_port = r->remote_port,
	};
}

/* hash_of_tuple: multiply and fold each word. */
static __always_inline __u64 hash_of_tuple(const struct tuple *t)
{
	const __u64 *words = (const __u64 *)t;
	__u64 h = 0;

	for (int i = 0; i < 5; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 32;
	}
	return h;
}

static __always_inline __u64 hash_tuple(const struct record *r)
{
	struct tuple t = tuple_of(r);

	return hash_of_tuple(&t);
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

static __always_inline __u32 hash_of(struct sock *sk)
{
	return READ(sk, __sk_common.skc_hash);
}

/* followed_of finds the connection's entry; NULL if it has none. */
static __always_inline struct follow *followed_of(const struct record *r)
{
	struct follow *f = bpf_map_lookup_elem(&followed, &r->sk);

	return f && f->hash == hash_of((struct sock *)r->sk) ? f : NULL;
}

/* followed_by_tuple finds the connection's entry; NULL if it has none. r gets the
 * socket and its tuple. */
static __always_inline struct follow *followed_by_tuple(const struct tuple *asked, struct record *r)
{
	__u64 tuple = hash_of_tuple(asked), *key;
	struct follow *f;
	struct tuple t;

	key = bpf_map_lookup_elem(&by_tuple, &tuple);
	if (!key)
		return NULL;
	f = bpf_map_lookup_elem(&followed, key);
	if (!f || f->tuple != tuple)
		return NULL;
	__builtin_memset(r->local, 0, sizeof(r->local) + sizeof(r->remote)); /* IPv4 takes a part */
	read_tuple((struct sock *)*key, r);
	/* The hash may have led to another socket. */
	t = tuple_of(r);
	for (int i = 0; i < 5; i++)
		if (((const __u64 *)&t)[i] != ((const __u64 *)asked)[i])
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
	struct follow *f, fresh = { .netns = r->netns, .hash = hash_of((struct sock *)r->sk) };

	f = bpf_map_lookup_elem(&followed, &r->sk);
	if (f && f->hash != fresh.hash) {
		forget(f, r->sk);
		f = NULL;
	}
	if (!f) {
		fresh.tuple = hash_tuple(r);
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

/* take_answer notes in r whether the peer has been heard since the last probe, and
 * the round trip where it can be told: a single probe is out, and a single segment
 * without data has come since, while nothing was sent that it might acknowledge.
 * r and s are as read_state() has them. */
static __always_inline void take_answer(struct follow *f, struct record *r, const struct sent *s)
{
	__u32 ago = s->now - f->probed_at;

	if (!f->outstanding || r->idle_for > ago)
		return;
	r->flags |= FLAG_ANSWERED;
	if (f->outstanding == 1 && f->left && s->segs_in - f->segs_in == 1 &&
	    s->data_segs_in == f->data_segs_in && s->write_seq == f->write_seq) {
		r->flags |= FLAG_RTT;
		r->rtt = ago - r->idle_for;
	}
	settle(f);
}

/* recall: whose the socket is. Its cgroup never changes, its inode only with its
 * holder: these are read once. */
static __always_inline void recall(struct sock *sk, struct follow *f, struct record *r, int typed)
{
	__u64 holder = holder_of(sk, typed);

	if (f->holder != holder) {
		read_owner_as(sk, r, typed);
		f->inode = r->inode;
		f->cgroup = r->cgroup;
		f->owner = r->flags & (FLAG_KERNEL | FLAG_FILE);
		f->holder = holder;
		return;
	}
	r->inode = f->inode;
	r->cgroup = f->cgroup;
	r->flags |= f->owner;
	r->uid = READ_BY(reading(typed), sk, sk_uid.val);
}

/* The kernel's count of probes goes up one by one, and falls to 0 only. Where it
 * has gone up by more since it was last told, a program did not run. */
static __always_inline void note_unseen(struct follow *f, __u8 before)
{
	if (f->told && before > f->probes) {
		__sync_fetch_and_add(&lost_unseen, before - f->probes);
		f->probes = before;
	}
}

#endif
