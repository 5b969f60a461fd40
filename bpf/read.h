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
/* Where it has not, a program at a function's entry or exit (fentry, fexit) still knows the types of
 * the function's parameters, and may read what they lead to by loads. */
const volatile __u8 typed_reads = 1;

enum {
	UNTYPED,
	TYPED,
};

enum reading {
	BY_CALL,
	BY_CAST,
	BY_TYPE,
};

/* reading: how what a pointer leads to is read; typed: it is a parameter of a
 * function that a program of fentry or fexit is at. */
static __always_inline enum reading reading(int typed)
{
	if (direct_reads)
		return BY_CAST;
	return typed && typed_reads ? BY_TYPE : BY_CALL;
}

extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __attribute__((section(".ksyms"), weak));

#define CAST(ptr) ((typeof(ptr))bpf_rdonly_cast((void *)(ptr), bpf_core_type_id_kernel(typeof(*(ptr)))))

#define READ_BY(how, ptr, field)                                                                        \
	({                                                                                              \
		typeof(ptr) of_ = (ptr);                                                                \
		typeof(of_->field) value_;                                                              \
		if ((how) == BY_CAST)                                                                   \
			value_ = CAST(of_)->field;                                                      \
		else if ((how) == BY_TYPE)                                                              \
			value_ = of_->field;                                                            \
		else                                                                                    \
			value_ = BPF_CORE_READ(of_, field);                                             \
		value_;                                                                                 \
	})

#define READ(ptr, field) READ_BY(reading(UNTYPED), ptr, field)

#endif
