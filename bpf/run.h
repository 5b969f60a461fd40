/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading several fields of a struct. The macros' caller has asked once how: const
 * enum reading how. */
#ifndef KATRACE_RUN_H
#define KATRACE_RUN_H

#include "read.h"

/* KNOWN is ptr as FIELD and FROM take it. */
#define KNOWN(ptr) (how == BY_CAST ? CAST(ptr) : (ptr))

#define FIELD(ptr, field)                                                                               \
	({                                                                                              \
		typeof((ptr)->field) got_;                                                              \
		if (how != BY_CALL)                                                                     \
			got_ = (ptr)->field;                                                            \
		else                                                                                    \
			got_ = BPF_CORE_READ(ptr, field);                                               \
		got_;                                                                                   \
	})

/* RUN reads size bytes of *ptr from a field on, once, where each read is a call
 * (see READ). It begins at a multiple of 8, as the verifier wants it of the
 * stack. */
#define RUN(run, ptr, first, size)                                                                      \
	__u8 run[size] __attribute__((aligned(8)));                                                     \
	const __u32 run##_at = bpf_core_field_offset(typeof(*(ptr)), first) & ~7U;                      \
	if (how == BY_CALL)                                                                             \
	bpf_probe_read_kernel(run, size, (void *)(ptr) + run##_at)

/* FROM is a field's value: from the run, if it lies in it on this kernel. (The verifier
 * removes branches that are never taken, and nothing else: the compiler may not
 * compute what only such a branch needs before it.) */
#define FROM(run, ptr, field)                                                                           \
	({                                                                                              \
		typeof((ptr)->field) from_;                                                             \
		__u32 in_ = sizeof(run);                                                                \
		if (how == BY_CALL) {                                                                   \
			in_ = bpf_core_field_offset(typeof(*(ptr)), field);                             \
			asm volatile("" : "+r"(in_));                                                   \
			in_ -= run##_at;                                                                \
		}                                                                                       \
		if (how == BY_CALL && in_ <= sizeof(run) - sizeof(from_))                               \
			from_ = *(typeof(from_) *)(run + in_);                                          \
		else                                                                                    \
			from_ = FIELD(ptr, field);                                                      \
		from_;                                                                                  \
	})

#endif
