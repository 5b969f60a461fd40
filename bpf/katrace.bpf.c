// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* katrace's programs. keepalive.h, icmp.h and peer.h hold what they
 * do, kprobe.h, fentry.h and tracepoint.h how they are attached; the loader
 * picks one of the three and adds the programs below, which all have. */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "drop.h"
#include "fentry.h"
#include "kprobe.h"
#include "peer.h"
#include "tracepoint.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Makes bpf2go emit the Go types. */
const struct kernel_record *unused_record __attribute__((unused));
const enum record_kind *unused_kind __attribute__((unused));
const enum record_flag *unused_flag __attribute__((unused));
const enum story_bit *unused_bit __attribute__((unused));
const enum record_verdict *unused_verdict __attribute__((unused));
const enum counter *unused_counter __attribute__((unused));

SEC("raw_tp/tcp_receive_reset")
int tp_receive_reset(struct bpf_raw_tracepoint_args *ctx)
{
	handle_receive_reset((struct sock *)ctx->args[0]);
	return 0;
}

SEC("raw_tp/inet_sock_set_state")
int tp_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	handle_state((struct sock *)ctx->args[0], ctx->args[1], ctx->args[2]);
	return 0;
}

/* --rtt only. */
SEC("raw_tp/tcp_probe")
int tp_probe(struct bpf_raw_tracepoint_args *ctx)
{
	if (armed > 0)
		handle_segment((struct sock *)ctx->args[0], (struct sk_buff *)ctx->args[1]);
	return 0;
}
