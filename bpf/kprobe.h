/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kprobe backend: thin wrappers. */
#ifndef KATRACE_KPROBE_H
#define KATRACE_KPROBE_H

#include "keepalive.h"
#include <bpf/bpf_tracing.h>

SEC("kprobe/tcp_keepalive_timer")
int BPF_KPROBE(kprobe_keepalive_timer, struct timer_list *t)
{
	handle_firing(sock_of_timer(t));
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
	handle_wakeup(sk);
	return 0;
}

SEC("kretprobe/tcp_write_wakeup")
int BPF_KRETPROBE(kretprobe_write_wakeup, int ret)
{
	handle_wakeup_end(ret);
	return 0;
}

SEC("kprobe/tcp_send_active_reset")
int BPF_KPROBE(kprobe_send_active_reset, struct sock *sk, __u64 arg2, __u64 arg3)
{
	if (is_keepalive_reason(reset_reason_param == 2 ? arg2 : arg3))
		handle_reset(sk);
	return 0;
}

#endif
