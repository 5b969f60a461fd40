/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ICMP errors about a probe. The kernel drops them as out of window, for a
 * probe's sequence number is old (TcpExtOutOfWindowIcmps), and the application
 * never hears of them. tcp_v4_err and tcp_v6_err see them before that. */
#ifndef KATRACE_ICMP_H
#define KATRACE_ICMP_H

#include "keepalive.h"
#include "news.h"

/* r holds the tuple that the error quotes; th is the quoted segment. */
static __always_inline void handle_icmp(struct sk_buff *skb, struct record *r, void *th, int six)
{
	struct tcp_header tcp = {};
	struct follow *f;
	struct tuple t;
	struct sock *sk;

	/* An error has to quote 8 bytes of the segment: ports and seq. */
	if (bpf_probe_read_kernel(&tcp, 8, th))
		return;
	r->local_port = __builtin_bswap16(tcp.source);
	r->remote_port = __builtin_bswap16(tcp.dest);
	r->netns = READ(READ(READ(skb, dev), nd_net.net), ns.inum);
	t = tuple_of(r);
	if (six && is_ipv4(&t.remote))
		return;
	f = followed_by_tuple(&t, r);
	sk = (struct sock *)r->sk;
	if (!f || !f->outstanding || heard_since(sk, f->probed_at) ||
	    __builtin_bswap32(tcp.seq) != TCP(sk, snd_una) - 1)
		return;
	if (!six && r->family == AF_INET6) { /* it talks IPv4 */
		__builtin_memcpy(r->from + 12, r->from, 4);
		__builtin_memset(r->from, 0, 10);
		r->from[10] = r->from[11] = 0xff;
	}
	r->kind = RECORD_ICMP;
	if (watching && !tell_icmp(sk, f, r, six))
		return;
	read_rest(sk, r);
	r->flags |= FLAG_FOLLOWED;
	submit_long(r);
}

static __always_inline void handle_icmp4(struct sk_buff *skb)
{
	struct ipv4_header inner = {}, outer = {};
	struct firing *firing = this_firing();
	struct record *r;
	__u8 *head = BPF_CORE_READ(skb, head), *data = BPF_CORE_READ(skb, data);

	if (!firing)
		return;
	r = &firing->icmp;
	__builtin_memset(r, 0, sizeof(*r));
	if (bpf_probe_read_kernel(&inner, sizeof(inner), data) ||
	    bpf_probe_read_kernel(&outer, sizeof(outer), head + BPF_CORE_READ(skb, network_header)) ||
	    bpf_probe_read_kernel(&r->icmp_type, 2, head + BPF_CORE_READ(skb, transport_header)))
		return;
	r->family = AF_INET;
	__builtin_memcpy(r->local, inner.saddr, 4);
	__builtin_memcpy(r->remote, inner.daddr, 4);
	__builtin_memcpy(r->from, outer.saddr, 4);
	handle_icmp(skb, r, data + (inner.version_ihl & 15) * 4, 0);
}

static __always_inline void handle_icmp6(struct sk_buff *skb, __u8 type, __u8 code, int offset)
{
	struct ipv6_header inner = {}, outer = {};
	struct firing *firing = this_firing();
	struct record *r;
	__u8 *head = BPF_CORE_READ(skb, head), *data = BPF_CORE_READ(skb, data);

	if (!firing)
		return;
	r = &firing->icmp;
	__builtin_memset(r, 0, sizeof(*r));
	r->family = AF_INET6;
	r->icmp_type = type;
	r->icmp_code = code;
	if (bpf_probe_read_kernel(&inner, sizeof(inner), data) ||
	    bpf_probe_read_kernel(&outer, sizeof(outer), head + BPF_CORE_READ(skb, network_header)))
		return;
	__builtin_memcpy(r->local, inner.saddr, 16);
	__builtin_memcpy(r->remote, inner.daddr, 16);
	__builtin_memcpy(r->from, outer.saddr, 16);
	handle_icmp(skb, r, data + offset, 1);
}

#endif
