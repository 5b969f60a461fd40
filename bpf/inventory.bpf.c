// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The list of TCP sockets: an iterator that writes one struct inventory_socket
 * each, for the network namespace of the thread that opened it. */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "inventory.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Makes bpf2go emit the Go types. */
const struct record *unused_record __attribute__((unused));
const struct inventory_socket *unused_socket __attribute__((unused));
const struct inventory_user *unused_user __attribute__((unused));
const enum inventory_flag *unused_flag __attribute__((unused));

/* What is left of a socket in TIME_WAIT, and what there is of one that is only
 * asked for, has nothing but addresses and a state; as sock_diag shows them. */
static __always_inline void read_stub(struct sock *sk, struct inventory_socket *s)
{
	if (s->rec.state == TCP_NEW_SYN_RECV) {
		s->rec.state = TCP_SYN_RECV;
		s->flags |= INVENTORY_RETRANS;
		return;
	}
	s->rec.state = READ((struct inet_timewait_sock *)sk, tw_substate);
	if (s->rec.state == TCP_FIN_WAIT2)
		s->flags |= INVENTORY_ORPHAN;
}

SEC("iter/tcp")
int list_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock *sk = (struct sock *)ctx->sk_common;
	struct inventory_socket s = {};

	if (!sk)
		return 0; /* the end */
	read_tuple(sk, &s.rec);
	if (s.rec.state == TCP_TIME_WAIT || s.rec.state == TCP_NEW_SYN_RECV) {
		read_stub(sk, &s);
	} else {
		read_rest(sk, &s.rec);
		read_timers(sk, &s);
		s.flags |= INVENTORY_WHOLE;
		s.rec.waits = stall_of(sk);
		if (s.rec.waits)
			read_stall(sk, &s.rec);
		if (keepalive_on(sk))
			s.flags |= INVENTORY_ON;
		if (!nothing_to_send(sk))
			s.flags |= INVENTORY_UNSENT;
		if (is_fin_wait2_orphan(sk))
			s.flags |= INVENTORY_ORPHAN;
		if (is_queued(sk))
			s.flags |= INVENTORY_QUEUED;
	}
	bpf_seq_write(ctx->meta->seq, &s, sizeof(s));
	if (s.rec.flags & FLAG_KERNEL) {
		struct inventory_user u = {};

		read_user(sk, &u);
		bpf_seq_write(ctx->meta->seq, &u, sizeof(u));
	}
	return 0;
}
