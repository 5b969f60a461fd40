/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading a field of a kernel struct. */
#ifndef KATRACE_READ_H
#define KATRACE_READ_H

#include <bpf/bpf_core_read.h>

/* The kernel has bpf_rdonly_cast (from 6.2 on): a field is then read by a load
 * of a few instructions, which gives 0 where the address is bad, as below.
 * Elsewhere each read is a call, of about a hundred. (Each look at this constant
 * is a load that stays, while the verifier removes what depends on it.) */
const volatile __u8 direct_reads = 0;

extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __attribute__((section(".ksyms"), weak));

#define CAST(ptr) ((typeof(ptr))bpf_rdonly_cast((void *)(ptr), bpf_core_type_id_kernel(typeof(*(ptr)))))

#define READ(ptr, field)                                                                                \
	({                                                                                              \
		typeof(ptr) of_ = (ptr);                                                                \
		typeof(of_->field) value_;                                                              \
		if (direct_reads)                                                                       \
			value_ = CAST(of_)->field;                                                      \
		else                                                                                    \
			value_ = BPF_CORE_READ(of_, field);                                             \
		value_;                                                                                 \
	})

#endif
