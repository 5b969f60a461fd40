/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The part of the user's filter that the socket itself can answer. Values of
 * one kind are or-ed, kinds are and-ed. The loader leaves a kind out that has
 * more values than fit; user space tests the whole filter again. */
#ifndef KATRACE_FILTER_H
#define KATRACE_FILTER_H

#include "kernel_types.h"
#include "record.h"

#define FILTER_MAX 8

struct filter_prefix {
	__u8 addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	__u8 mask[16];
};

const volatile struct filter {
	__u32 netns[FILTER_MAX];
	__u16 port[FILTER_MAX]; /* either side's */
	__u16 local_port[FILTER_MAX];
	__u16 remote_port[FILTER_MAX];
	struct filter_prefix prefix[FILTER_MAX]; /* either side's */
	__u8 n_netns;
	__u8 n_port;
	__u8 n_local_port;
	__u8 n_remote_port;
	__u8 n_prefix;
	__u8 only_v4;
	__u8 only_v6;
	__u8 on; /* 0: everything passes */
} filter = {};

static __always_inline int in_ports(const volatile __u16 *ports, __u8 n, __u16 a, __u16 b)
{
	for (int i = 0; i < FILTER_MAX && i < n; i++)
		if (ports[i] == a || ports[i] == b)
			return 1;
	return 0;
}

/* in_prefix compares as IPv6: an IPv4 address counts as ::ffff:a.b.c.d. */
static __always_inline int in_prefix(const volatile struct filter_prefix *p, const __u8 *addr, int family)
{
	for (int i = 0; i < 16; i++) {
		__u8 byte = addr[i];

		if (family == AF_INET)
			byte = i < 10 ? 0 : i < 12 ? 0xff : addr[i - 12];
		if ((byte & p->mask[i]) != p->addr[i])
			return 0;
	}
	return 1;
}

static __always_inline int is_mapped(const __u8 *a)
{
	for (int i = 0; i < 10; i++)
		if (a[i])
			return 0;
	return a[10] == 0xff && a[11] == 0xff;
}

static __noinline int passes(const struct record *r)
{
	if (!filter.on)
		return 1;
	if (filter.only_v4 || filter.only_v6) {
		int v4 = r->family == AF_INET || is_mapped(r->remote);

		if (!(v4 ? filter.only_v4 : filter.only_v6))
			return 0;
	}
	if (filter.n_port && !in_ports(filter.port, filter.n_port, r->local_port, r->remote_port))
		return 0;
	if (filter.n_local_port &&
	    !in_ports(filter.local_port, filter.n_local_port, r->local_port, r->local_port))
		return 0;
	if (filter.n_remote_port &&
	    !in_ports(filter.remote_port, filter.n_remote_port, r->remote_port, r->remote_port))
		return 0;
	if (filter.n_netns) {
		int found = 0;

		for (int i = 0; i < FILTER_MAX && i < filter.n_netns; i++)
			if (filter.netns[i] == r->netns)
				found = 1;
		if (!found)
			return 0;
	}
	if (filter.n_prefix) {
		int found = 0;

		for (int i = 0; i < FILTER_MAX && i < filter.n_prefix; i++)
			if (in_prefix(&filter.prefix[i], r->local, r->family) ||
			    in_prefix(&filter.prefix[i], r->remote, r->family))
				found = 1;
		if (!found)
			return 0;
	}
	return 1;
}

#endif
