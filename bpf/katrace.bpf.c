// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* katrace's programs. keepalive.h holds what they do, kprobe.h and
 * tracepoint.h how they are attached; the loader picks one of the two and adds
 * the programs below, which both need. */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "kprobe.h"
#include "tracepoint.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Makes bpf2go emit the Go types. */
const struct record *unused_record __attribute__((unused));
const enum record_kind *unused_kind __attribute__((unused));
const enum record_flag *unused_flag __attribute__((unused));
const enum lost_cause *unused_cause __attribute__((unused));

SEC("raw_tp/tcp_receive_reset")
int tp_receive_reset(struct bpf_raw_tracepoint_args *ctx)
{
	handle_receive_reset((struct sock *)ctx->args[0]);
	return 0;
}

SEC("raw_tp/inet_sock_set_state")
int tp_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	handle_state((struct sock *)ctx->args[0], ctx->args[2]);
	return 0;
}
