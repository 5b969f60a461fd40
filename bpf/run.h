/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading fields that lie close together in a struct. */
#ifndef KATRACE_RUN_H
#define KATRACE_RUN_H

#include "read.h"

/* RUN reads size bytes of *ptr from a field on, once, where each read is a call
 * (see READ). It begins at a multiple of 8, as the verifier wants it of the
 * stack. ptr is KNOWN. */
#define RUN(run, ptr, first, size)                                                                      \
	__u8 run[size] __attribute__((aligned(8)));                                                     \
	const __u32 run##_at = bpf_core_field_offset(typeof(*(ptr)), first) & ~7U;                      \
	if (!direct_reads)                                                                              \
	bpf_probe_read_kernel(run, size, (void *)(ptr) + run##_at)

/* FROM is a field's value: from the run, if it lies in it on this kernel. */
#define FROM(run, ptr, field)                                                                           \
	({                                                                                              \
		typeof((ptr)->field) got_;                                                              \
		const __u32 in_ = bpf_core_field_offset(typeof(*(ptr)), field) - run##_at;              \
		if (!direct_reads && in_ <= sizeof(run) - sizeof(got_))                                 \
			got_ = *(typeof(got_) *)(run + in_);                                            \
		else                                                                                    \
			got_ = READ_KNOWN(ptr, field);                                                  \
		got_;                                                                                   \
	})

#endif
