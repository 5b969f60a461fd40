/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What differs between kernels 5.10 and 7.3, one accessor each. Nothing here
 * asks for a version: every difference is looked up in the kernel's BTF. */
#ifndef KATRACE_COMPAT_H
#define KATRACE_COMPAT_H

#include "kernel_types.h"
#include "read.h"

/* tcp_send_active_reset's parameter that holds the reason: 3 from 6.10 on,
 * 2 from 7.2 on (without prio), 0 where there is none. The loader reads it
 * from the function's BTF. */
const volatile __u8 reset_reason_param = 0;

/* sock_of_timer is the socket that the keepalive timer t belongs to. The field
 * moved from sock.sk_timer to inet_connection_sock.icsk_keepalive_timer in
 * 6.19 and in stable backports; sk_timer still exists then, for
 * retransmission, so the new place has to be asked for first. */
static __always_inline struct sock *sock_of_timer(struct timer_list *t)
{
	if (bpf_core_field_exists(struct inet_connection_sock___moved, icsk_keepalive_timer))
		return (void *)t - bpf_core_field_offset(struct inet_connection_sock___moved,
							 icsk_keepalive_timer);
	return (void *)t - bpf_core_field_offset(struct sock, sk_timer);
}

/* retransmit_timer_of is the timer of retransmissions and window probes. It has
 * taken the place of the keepalive timer where that moved. */
static __always_inline struct timer_list *retransmit_timer_of(struct sock *sk)
{
	if (bpf_core_field_exists(struct inet_connection_sock, icsk_retransmit_timer))
		return (void *)sk + bpf_core_field_offset(struct inet_connection_sock, icsk_retransmit_timer);
	return (void *)sk + bpf_core_field_offset(struct sock, sk_timer);
}

/* cgroup_of is the socket's cgroup v2 id (that of the directory's inode), 0 if
 * it cannot be told. */
static __always_inline __u64 cgroup_of(struct sock *sk)
{
	struct cgroup *cgrp = NULL;

	if (bpf_core_field_exists(struct sock_cgroup_data, cgroup)) {
		cgrp = READ(sk, sk_cgrp_data.cgroup);
	} else if (bpf_core_field_exists(struct sock_cgroup_data___5_10, val)) {
		struct sock_cgroup_data___5_10 *data = (void *)&sk->sk_cgrp_data;
		__u64 val = BPF_CORE_READ(data, val);

		if (!(val & 1))
			cgrp = (void *)val;
	}
	return cgrp ? READ(READ(cgrp, kn), id) : 0;
}

/* is_keepalive_reason: does the reset's reason say keepalive? Kernels before
 * 6.10 give none (reset_reason_param is 0), there the caller has to know. */
static __always_inline int is_keepalive_reason(__u64 reason)
{
	if (!reset_reason_param ||
	    !bpf_core_enum_value_exists(enum sk_rst_reason, SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT))
		return 1;
	return (__u32)reason == bpf_core_enum_value(enum sk_rst_reason, SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT);
}

#endif
