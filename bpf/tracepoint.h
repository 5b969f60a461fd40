/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The tracepoint backend, for kernels without kprobes: the timer's own entry
 * and exit stand in for tcp_keepalive_timer, and a probe is told by
 * icsk_probes_out rising between them. What tcp_write_wakeup returned is not
 * to be had. */
#ifndef KATRACE_TRACEPOINT_H
#define KATRACE_TRACEPOINT_H

#include "keepalive.h"

/* The address of tcp_keepalive_timer, from kallsyms. */
const volatile __u64 keepalive_timer_addr = 0;

SEC("raw_tp/timer_expire_entry")
int tp_timer_expire_entry(struct bpf_raw_tracepoint_args *ctx)
{
	struct timer_list *t = (void *)ctx->args[0];
	struct firing *firing;
	struct sock *sk;

	if ((__u64)READ(t, function) != keepalive_timer_addr)
		return 0;
	firing = this_firing();
	if (!firing)
		return 0;
	sk = sock_of_timer(t);
	firing->timer = (__u64)t;
	firing->probes_out = ICSK(sk, icsk_probes_out);
	firing->orphan = is_fin_wait2_orphan(sk);
	firing->idle = nothing_to_send(sk);
	handle_firing(firing, sk, firing->idle);
	return 0;
}

SEC("raw_tp/timer_expire_exit")
int tp_timer_expire_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct firing *firing = this_firing();
	SHORT_RECORD(r);
	struct whose w;
	struct sock *sk;
	struct sent s;
	__u8 probes;

	if (!firing || !firing->timer || firing->timer != ctx->args[0])
		return 0;
	firing->timer = 0;
	sk = (struct sock *)firing->sk;
	if (!sk) /* it gave up */
		return 0;
	probes = firing->probes_out + 1;
	/* An orphan in FIN_WAIT2 may be freed by now, and is not probed. Where
	 * there is something to send throughout, the count is raised by a
	 * zero-window probe: its timer may run on another CPU meanwhile. */
	if (!firing->orphan && ICSK(sk, icsk_probes_out) == probes) {
		read_probe(sk, r, &w, &s, UNTYPED);
		if (r->state == TCP_CLOSE) {
			/* Another processor has closed it since. Where it was followed, that
			 * counts the probe (handle_state); it has no entry any more. */
			if (firing->idle && !firing->followed)
				__sync_fetch_and_add(&lost_unseen, 1);
		} else if (firing->idle || !is_busy(&s)) {
			firing->done = 1;
			handle_probe(sk, r, &w, &s, probes, 0, 0, UNTYPED); /* not r->probes: an answer may clear it meanwhile */
		}
	}
	handle_firing_end(firing);
	return 0;
}

SEC("raw_tp/tcp_send_reset")
int tp_send_reset(struct bpf_raw_tracepoint_args *ctx)
{
	handle_reset((struct sock *)ctx->args[0]);
	return 0;
}

#endif
