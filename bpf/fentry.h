/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The fentry backend: as kprobe.h, cheaper, where the kernel has it. */
#ifndef KATRACE_FENTRY_H
#define KATRACE_FENTRY_H

#include "end.h"
#include "icmp.h"
#include "peer.h"
#include <bpf/bpf_tracing.h>

SEC("fentry/tcp_keepalive_timer")
int BPF_PROG(fentry_keepalive_timer, struct timer_list *t)
{
	struct firing *firing = this_firing();
	struct sock *sk = sock_of_timer(t);

	if (firing)
		handle_firing(firing, sk, all_acked(sk));
	return 0;
}

SEC("fexit/tcp_keepalive_timer")
int BPF_PROG(fexit_keepalive_timer)
{
	struct firing *firing = this_firing();

	if (firing)
		handle_firing_end(firing);
	return 0;
}

SEC("fexit/tcp_write_wakeup")
int BPF_PROG(fexit_write_wakeup, struct sock *sk, int mib, int ret)
{
	struct firing *firing = this_firing();

	if (firing)
		handle_wakeup_end(firing, sk, ret, TYPED);
	return 0;
}

/* Reads only a parameter that the function has: the verifier refuses others.
 * In assembly, for the compiler would make one load at a computed offset of
 * the two, which verifiers before 7.x refuse. */
SEC("fentry/tcp_send_active_reset")
int BPF_PROG(fentry_send_active_reset, struct sock *sk)
{
	__u64 reason = 0;

	if (reset_reason_param == 2)
		asm volatile("%0 = *(u64 *)(%1 + 8)" : "=r"(reason) : "r"(ctx));
	else if (reset_reason_param == 3)
		asm volatile("%0 = *(u64 *)(%1 + 16)" : "=r"(reason) : "r"(ctx));
	if (is_keepalive_reason(reason))
		handle_reset(sk);
	return 0;
}

SEC("fentry/tcp_v4_err")
int BPF_PROG(fentry_v4_err, struct sk_buff *skb)
{
	handle_icmp4(skb);
	return 0;
}

SEC("fentry/tcp_v6_err")
int BPF_PROG(fentry_v6_err, struct sk_buff *skb, void *opt, __u8 type, __u8 code, int offset)
{
	handle_icmp6(skb, type, code, offset);
	return 0;
}

SEC("fentry/tcp_send_dupack")
int BPF_PROG(fentry_send_dupack, struct sock *sk, struct sk_buff *skb)
{
	handle_old_segment(sk, skb, TYPED);
	return 0;
}

SEC("fentry/tcp_reset")
int BPF_PROG(fentry_reset, struct sock *sk, struct sk_buff *skb)
{
	handle_reset_segment(sk, skb);
	return 0;
}

SEC("fentry/tcp_set_keepalive")
int BPF_PROG(fentry_set_keepalive, struct sock *sk, int val)
{
	handle_set_keepalive(sk, val);
	return 0;
}

#endif
