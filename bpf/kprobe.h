/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kprobe backend: thin wrappers. */
#ifndef KATRACE_KPROBE_H
#define KATRACE_KPROBE_H

#include "end.h"
#include "icmp.h"
#include "peer.h"
#include <bpf/bpf_tracing.h>

SEC("kprobe/tcp_keepalive_timer")
int BPF_KPROBE(kprobe_keepalive_timer, struct timer_list *t)
{
	struct firing *firing = this_firing();
	struct sock *sk = sock_of_timer(t);

	if (firing)
		handle_firing(firing, sk, all_acked(sk));
	return 0;
}

/* --all only: a firing that sent nothing is known when it is over. */
SEC("kretprobe/tcp_keepalive_timer")
int BPF_KRETPROBE(kretprobe_keepalive_timer)
{
	struct firing *firing = this_firing();

	if (firing)
		handle_firing_end(firing);
	return 0;
}

SEC("kprobe/tcp_write_wakeup")
int BPF_KPROBE(kprobe_write_wakeup, struct sock *sk)
{
	struct firing *firing = this_firing();

	if (firing) {
		firing->wakeup_sk = (__u64)sk;
		firing->wakeups++;
	}
	return 0;
}

SEC("kretprobe/tcp_write_wakeup")
int BPF_KRETPROBE(kretprobe_write_wakeup, int ret)
{
	struct firing *firing = this_firing();

	if (firing && firing->wakeup_sk) {
		handle_wakeup_end(firing, (struct sock *)firing->wakeup_sk, ret, UNTYPED);
		firing->wakeup_sk = 0;
	}
	return 0;
}

/* Instead of the kretprobe, where it can be. Where the kernel skipped the kprobe
 * at the function's entry, it skipped the timer's as well: the firing counts as
 * missed, and nothing is told of it. */
SEC("fexit/tcp_write_wakeup")
int BPF_PROG(kprobe_write_wakeup_end, struct sock *sk, int mib, int ret)
{
	struct firing *firing = this_firing();

	if (firing && firing->wakeups) {
		firing->wakeups--;
		handle_wakeup_end(firing, sk, ret, TYPED);
	}
	return 0;
}

SEC("kprobe/tcp_send_active_reset")
int BPF_KPROBE(kprobe_send_active_reset, struct sock *sk, __u64 arg2, __u64 arg3)
{
	if (is_keepalive_reason(reset_reason_param == 2 ? arg2 : arg3))
		handle_reset(sk);
	return 0;
}

SEC("kprobe/tcp_v4_err")
int BPF_KPROBE(kprobe_v4_err, struct sk_buff *skb)
{
	handle_icmp4(skb);
	return 0;
}

SEC("kprobe/tcp_v6_err")
int BPF_KPROBE(kprobe_v6_err, struct sk_buff *skb, void *opt, __u8 type, __u8 code, int offset)
{
	handle_icmp6(skb, type, code, offset);
	return 0;
}

SEC("kprobe/tcp_send_dupack")
int BPF_KPROBE(kprobe_send_dupack, struct sock *sk, struct sk_buff *skb)
{
	handle_old_segment(sk, skb, UNTYPED);
	return 0;
}

SEC("kprobe/tcp_reset")
int BPF_KPROBE(kprobe_reset, struct sock *sk, struct sk_buff *skb)
{
	handle_reset_segment(sk, skb);
	return 0;
}

SEC("kprobe/tcp_set_keepalive")
int BPF_KPROBE(kprobe_set_keepalive, struct sock *sk, int val)
{
	handle_set_keepalive(sk, val);
	return 0;
}

#endif
