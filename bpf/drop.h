/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Segments that this host itself drops, either way, of a connection that has a
 * probe out or waits for something else than keepalive. skb:kfree_skb shows all that the system drops, and no socket. */
#ifndef KATRACE_DROP_H
#define KATRACE_DROP_H

#include "peer.h"

/* How many parameters the tracepoint has: skb, location; from 5.17 on the
 * reason; from 6.11 on the socket that was to receive it. */
const volatile __u8 drop_params = 2;
/* Somebody wants to know of drops. */
const volatile __u8 drops = 1;

/* A segment that is dropped, as its headers have it. */
struct dropped {
	struct address source, dest;
	struct tcp_header tcp;
	__u32 netns;
};

/* netns_of is the namespace that the segment is in. A segment on its way out has
 * no device at first, one that TCP looks at has none any more (tcp_v4_rcv), and
 * no socket yet: its route has one. */
static __always_inline __u32 netns_of(struct sk_buff *skb, struct sock *rx_sk)
{
	struct net_device *dev = READ(skb, dev);
	struct sock *sk = rx_sk;

	if (!sk && !dev)
		sk = READ(skb, sk);
	if (sk)
		return netns_of_sock(sk);
	if (!dev) /* SKB_DST_PTRMASK */
		dev = READ((struct dst_entry *)(READ(skb, _skb_refdst) & ~1UL), dev);
	return READ(READ(dev, nd_net.net), ns.inum);
}

/* read_segment reads the headers; 0 if it is no TCP segment. The transport header
 * need not be set yet. IPv6 extension headers are not looked through. */
static __noinline int read_segment(struct sk_buff *skb, struct sock *rx_sk, struct dropped *d)
{
	__u8 *ip = READ(skb, head) + READ(skb, network_header), *tcp;
	union {
		struct ipv4_header v4;
		struct ipv6_header v6; /* as long as the shortest IPv4 segment */
	} h __attribute__((aligned(8)));

	if (bpf_probe_read_kernel(&h, sizeof(h), ip))
		return 0;
	if (h.v4.version_ihl >> 4 == 4) {
		if (h.v4.protocol != IPPROTO_TCP || h.v4.fragment & __builtin_bswap16(0x1fff))
			return 0;
		d->source = address_of(AF_INET, h.v4.saddr);
		d->dest = address_of(AF_INET, h.v4.daddr);
		tcp = ip + (h.v4.version_ihl & 15) * 4;
	} else if (h.v4.version_ihl >> 4 == 6) {
		if (h.v6.next_header != IPPROTO_TCP)
			return 0;
		d->source = address_of(AF_INET6, h.v6.saddr);
		d->dest = address_of(AF_INET6, h.v6.daddr);
		if (is_ipv4(&d->source))
			return 0;
		tcp = ip + sizeof(h.v6);
	} else {
		return 0;
	}
	d->netns = netns_of(skb, rx_sk);
	return !bpf_probe_read_kernel(&d->tcp, sizeof(d->tcp), tcp);
}

/* is_news: could the peer, or this end, have made use of the segment? What TCP
 * has taken already is freed later, old segments are dropped as such, and a RST
 * that gives the connection up is no probe. */
static __always_inline int is_news(struct sock *sk, const struct dropped *d, enum record_direction direction)
{
	__u32 seq = __builtin_bswap32(d->tcp.seq);

	if (direction == DIRECTION_IN)
		return (__s32)(seq - TCP(sk, rcv_nxt)) >= 0;
	return !(d->tcp.flags & TCP_FLAG_RST_BYTE) && (__s32)(seq - (TCP(sk, snd_una) - 1)) >= 0;
}

/* kind_of is what is told of once: the reason, or where there is none the place. */
static __always_inline __u64 kind_of(__u64 location, __u32 reason)
{
	return reason && reason != bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_NOT_SPECIFIED) ? reason : location;
}

/* first notes a drop of this kind, and says whether it is the first one since the
 * peer was heard. (One in 64 times another kind is taken for it.) */
static __always_inline int first(struct follow *f, __u64 kind, enum record_direction direction)
{
	__u64 bit = 1ULL << ((kind * 2 + direction) * 0x9e3779b97f4a7c15ULL >> 58);

	if (f->drops & bit)
		return 0;
	f->drops |= bit;
	return 1;
}

/* Which socket is it about? The one that waits for the peer and that sent the segment,
 * or was to receive it; NULL where there is none, or where nothing is to be told. (The
 * functions are apart, and their results used, for the stack's sake: before 6.12
 * the verifier counts all that call each other, and refuses a result that is an
 * address because nobody looks at it.) */
static __noinline __u64 socket_of(const struct dropped *d, enum record_direction direction, __u64 kind)
{
	int in = direction == DIRECTION_IN;
	struct tuple t = {
		.local = in ? d->dest : d->source,
		.remote = in ? d->source : d->dest,
		.netns = d->netns,
		.local_port = __builtin_bswap16(in ? d->tcp.dest : d->tcp.source),
		.remote_port = __builtin_bswap16(in ? d->tcp.source : d->tcp.dest),
	};
	struct record r;
	struct follow *f;
	struct sock *sk;

	f = followed_by_tuple(&t, &r);
	if (!f || !f->waiting || f->ended)
		return 0;
	sk = (struct sock *)r.sk;
	if (heard_since(sk, f->probed_at) || !is_news(sk, d, direction) || !first(f, kind, direction))
		return 0;
	f->story.bits |= STORY_KNOWN;
	return (__u64)sk;
}

static __noinline int submit_drop(__u64 sk, enum record_direction direction, __u64 location, __u32 reason)
{
	struct kernel_record *k = reserve_kernel();

	if (!k)
		return 0;
	k->rec.kind = RECORD_DROPPED;
	k->rec.reason = direction;
	k->rec.flags = FLAG_FOLLOWED;
	k->rec.location = location;
	k->rec.drop_reason = reason;
	read_tuple((struct sock *)sk, &k->rec);
	read_rest((struct sock *)sk, &k->rec);
	name_symbol(k, location);
	bpf_ringbuf_submit(k, 0);
	return 1;
}

/* handle_dropped tells of the segment to its sender and to its receiver, whoever
 * waits. It returns how many records that made. */
static __noinline int handle_dropped(struct sk_buff *skb, __u64 location, __u32 reason, struct sock *rx_sk)
{
	__u64 kind = kind_of(location, reason), sk;
	struct dropped d = {};
	int told = 0;

	if (!read_segment(skb, rx_sk, &d))
		return 0;
	sk = socket_of(&d, DIRECTION_OUT, kind);
	if (sk)
		told += submit_drop(sk, DIRECTION_OUT, location, reason);
	sk = socket_of(&d, DIRECTION_IN, kind);
	if (sk)
		told += submit_drop(sk, DIRECTION_IN, location, reason);
	return told;
}

/* All that the system drops comes by here. */
SEC("raw_tp/kfree_skb")
int tp_kfree_skb(struct bpf_raw_tracepoint_args *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx->args[0];
	struct sock *rx_sk = NULL;
	__u32 reason = 0;
	int told = 0;

	if (drop_params >= 3)
		reason = ctx->args[2];
	if (drop_params >= 4) {
		rx_sk = (struct sock *)ctx->args[3];
		told = handle_old_drop(skb, reason, rx_sk);
		if (is_old(reason)) /* as each probe to this host is, once it was answered: harmless */
			return told;
	}
	if (drops && waiting > 0)
		told += handle_dropped(skb, ctx->args[1], reason, rx_sk);
	return told;
}

#endif
