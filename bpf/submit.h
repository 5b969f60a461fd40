/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Records on their way into the ring. */
#ifndef KATRACE_SUBMIT_H
#define KATRACE_SUBMIT_H

#include "maps.h"
#include "sock.h"

/* name_symbol writes who uses a socket of the kernel's: the function that it is
 * told of data by, with its module. Nothing where the kernel has no
 * bpf_snprintf (before 5.13). */
static __noinline int name_symbol(struct record *r)
{
	static const char format[] = "%ps";
	struct sock *sk = (struct sock *)r->sk;
	__u64 args[1];

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_snprintf))
		return 0;
	args[0] = (__u64)BPF_CORE_READ(sk, sk_data_ready);
	bpf_snprintf((char *)r->symbol, sizeof(r->symbol), format, args, sizeof(args));
	return 0;
}

static __always_inline void submit_size(struct record *r, __u64 size)
{
	if (bpf_ringbuf_output(&ring, r, size, 0))
		__sync_fetch_and_add(&lost_ring, 1);
}

static __always_inline void submit_long(struct record *r)
{
	if (r->flags & FLAG_KERNEL)
		name_symbol(r);
	submit_size(r, sizeof(*r));
}

static __always_inline void submit(struct record *r)
{
	if (r->flags & FLAG_KERNEL)
		submit_long(r);
	else
		submit_size(r, RECORD_SHORT);
}

#endif
