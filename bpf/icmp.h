/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ICMP errors about a probe. The kernel drops them as out of window, for a
 * probe's sequence number is old (TcpExtOutOfWindowIcmps), and the application
 * never hears of them. tcp_v4_err and tcp_v6_err see them before that. */
#ifndef KATRACE_ICMP_H
#define KATRACE_ICMP_H

#include "keepalive.h"

/* r holds the tuple that the error quotes; th is the quoted segment. */
static __always_inline void handle_icmp(struct sk_buff *skb, struct record *r, void *th)
{
	const __u64 *a = (const __u64 *)r->local;
	__u64 quoted[4], ports;
	struct tcp_header tcp = {};
	struct follow *f;
	struct sock *sk;
	__u64 tuple, *key;

	/* An error has to quote 8 bytes of the segment: ports and seq. */
	if (bpf_probe_read_kernel(&tcp, 8, th))
		return;
	r->local_port = __builtin_bswap16(tcp.source);
	r->remote_port = __builtin_bswap16(tcp.dest);
	r->netns = READ(READ(READ(skb, dev), nd_net.net), ns.inum);
	tuple = hash_tuple(r);
	key = bpf_map_lookup_elem(&by_tuple, &tuple);
	if (!key)
		return;
	sk = (struct sock *)*key;
	f = bpf_map_lookup_elem(&followed, key);
	if (!f || !f->outstanding || heard_since(sk, f->probed_at) ||
	    __builtin_bswap32(tcp.seq) != TCP(sk, snd_una) - 1)
		return;
	/* The hash may have led to another socket. */
	for (int i = 0; i < 4; i++)
		quoted[i] = a[i];
	ports = ports_of(r);
	read_tuple(sk, r);
	if (a[0] != quoted[0] || a[1] != quoted[1] || a[2] != quoted[2] || a[3] != quoted[3] || ports_of(r) != ports)
		return;
	read_rest(sk, r);
	r->kind = RECORD_ICMP;
	r->flags |= FLAG_FOLLOWED;
	submit_long(r);
}

/* As an AF_INET6 socket shows an IPv4 address: ::ffff:a.b.c.d. */
static __always_inline void map_addr(__u8 *addr)
{
	__builtin_memcpy(addr + 12, addr, 4);
	__builtin_memset(addr, 0, 10);
	addr[10] = addr[11] = 0xff;
}

static __always_inline void handle_icmp4(struct sk_buff *skb)
{
	struct ipv4_header inner = {}, outer = {};
	struct firing *firing = this_firing();
	struct record *r;
	__u8 *head = BPF_CORE_READ(skb, head), *data = BPF_CORE_READ(skb, data);
	void *th;

	if (!firing)
		return;
	r = &firing->made;
	__builtin_memset(r, 0, sizeof(*r));
	if (bpf_probe_read_kernel(&inner, sizeof(inner), data) ||
	    bpf_probe_read_kernel(&outer, sizeof(outer), head + BPF_CORE_READ(skb, network_header)) ||
	    bpf_probe_read_kernel(&r->icmp_type, 2, head + BPF_CORE_READ(skb, transport_header)))
		return;
	__builtin_memcpy(r->local, inner.saddr, 4);
	__builtin_memcpy(r->remote, inner.daddr, 4);
	__builtin_memcpy(r->from, outer.saddr, 4);
	th = data + (inner.version_ihl & 15) * 4;
	handle_icmp(skb, r, th);
	if (r->kind)
		return;
	/* Not an AF_INET socket's: perhaps an AF_INET6 one's that talks IPv4. */
	__builtin_memset(r, 0, __builtin_offsetof(struct record, from));
	__builtin_memcpy(r->local, inner.saddr, 4);
	__builtin_memcpy(r->remote, inner.daddr, 4);
	map_addr(r->local);
	map_addr(r->remote);
	map_addr(r->from);
	handle_icmp(skb, r, th);
}

static __always_inline void handle_icmp6(struct sk_buff *skb, __u8 type, __u8 code, int offset)
{
	struct ipv6_header inner = {}, outer = {};
	struct firing *firing = this_firing();
	struct record *r;
	__u8 *head = BPF_CORE_READ(skb, head), *data = BPF_CORE_READ(skb, data);

	if (!firing)
		return;
	r = &firing->made;
	__builtin_memset(r, 0, sizeof(*r));
	r->icmp_type = type;
	r->icmp_code = code;
	if (bpf_probe_read_kernel(&inner, sizeof(inner), data) ||
	    bpf_probe_read_kernel(&outer, sizeof(outer), head + BPF_CORE_READ(skb, network_header)))
		return;
	__builtin_memcpy(r->local, inner.saddr, 16);
	__builtin_memcpy(r->remote, inner.daddr, 16);
	__builtin_memcpy(r->from, outer.saddr, 16);
	handle_icmp(skb, r, data + offset);
}

#endif
