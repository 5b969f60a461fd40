/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Records on their way into the ring. */
#ifndef KATRACE_SUBMIT_H
#define KATRACE_SUBMIT_H

#include "maps.h"
#include "sock.h"

static __always_inline void count_lost_ring(void) { __sync_fetch_and_add(&lost_ring, 1); }

/* reserve_kernel is room for a record with a symbol, NULL if the ring is full. */
static __always_inline struct kernel_record *reserve_kernel(void)
{
	struct kernel_record *k = bpf_ringbuf_reserve(&ring, sizeof(*k), 0);

	if (!k)
		count_lost_ring();
	else
		__builtin_memset(k, 0, sizeof(*k));
	return k;
}

/* name_symbol notes the name of a kernel function, with its module. Nothing
 * where the kernel has no bpf_snprintf (before 5.13). */
static __always_inline void name_symbol(struct kernel_record *k, __u64 function)
{
	static const char format[] = "%ps";

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_snprintf))
		bpf_snprintf((char *)k->symbol, sizeof(k->symbol), format, &function, sizeof(function));
}

/* submit_kernel adds who uses a socket of the kernel's: the function that it
 * tells of data. */
static __noinline int submit_kernel(const struct record *r, __u64 size)
{
	struct sock *sk = (struct sock *)r->sk;
	struct kernel_record *k = reserve_kernel();

	if (!k)
		return 0;
	if (size == RECORD_SHORT)
		__builtin_memcpy(&k->rec, r, RECORD_SHORT);
	else
		k->rec = *r;
	name_symbol(k, (__u64)BPF_CORE_READ(sk, sk_data_ready));
	bpf_ringbuf_submit(k, 0);
	return 0;
}

static __always_inline void submit_size(const struct record *r, __u64 size)
{
	if (r->flags & FLAG_KERNEL)
		submit_kernel(r, size);
	else if (bpf_ringbuf_output(&ring, (void *)r, size, 0))
		count_lost_ring();
}

static __always_inline void submit(const struct record *r) { submit_size(r, RECORD_SHORT); }

static __always_inline void submit_long(const struct record *r) { submit_size(r, sizeof(*r)); }

#endif
