/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading a field of a kernel struct. */
#ifndef KATRACE_READ_H
#define KATRACE_READ_H

#include <bpf/bpf_core_read.h>

/* The kernel has bpf_rdonly_cast (from 6.2 on): a field is then read by a load
 * of a few instructions, which gives 0 where the address is bad, as below.
 * Elsewhere each read is a call, of about a hundred. */
const volatile __u8 direct_reads = 0;

extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __attribute__((section(".ksyms"), weak));

#define READ(ptr, field)                                                                                \
	({                                                                                              \
		typeof(ptr) of_ = KNOWN(ptr);                                                           \
		READ_KNOWN(of_, field);                                                                 \
	})

/* KNOWN is ptr as READ_KNOWN takes it, for several reads. */
#define KNOWN(ptr)                                                                                      \
	({                                                                                              \
		typeof(ptr) ptr_ = (ptr);                                                               \
		if (direct_reads)                                                                       \
			ptr_ = bpf_rdonly_cast((void *)ptr_, bpf_core_type_id_kernel(typeof(*ptr_)));   \
		ptr_;                                                                                   \
	})

#define READ_KNOWN(ptr, field)                                                                          \
	({                                                                                              \
		typeof((ptr)->field) value_;                                                            \
		if (direct_reads)                                                                       \
			value_ = (ptr)->field;                                                          \
		else                                                                                    \
			value_ = BPF_CORE_READ(ptr, field);                                             \
		value_;                                                                                 \
	})

#endif
