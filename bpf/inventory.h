/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a list of sockets shows of one beyond what a record of the stream holds. */
#ifndef KATRACE_INVENTORY_H
#define KATRACE_INVENTORY_H

#include "stall.h"

#define TCP_TIME_WAIT 6
#define TCP_NEW_SYN_RECV 12

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct timer_list___when {
	struct {
		void **pprev; /* NULL: not pending */
	} entry;
	unsigned long expires; /* jiffies */
};

struct inet_connection_sock___pending {
	__u8 icsk_pending; /* ICSK_TIME_*: what the other timer is for */
};

struct inet_timewait_sock {
	volatile unsigned char tw_substate; /* FIN_WAIT2 or TIME_WAIT */
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

#pragma clang attribute pop

/* include/net/inet_connection_sock.h */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

enum inventory_flag {
	INVENTORY_WHOLE = 1 << 0,   /* a whole socket: not a request, not TIME_WAIT */
	INVENTORY_ON = 1 << 1,	    /* SO_KEEPALIVE */
	INVENTORY_TIMER = 1 << 2,   /* the keepalive timer runs, .timer holds */
	INVENTORY_UNSENT = 1 << 3,  /* data unacknowledged or unsent */
	INVENTORY_RETRANS = 1 << 4, /* the other timer waits for an ACK */
	INVENTORY_WINDOW = 1 << 5,  /* the other timer sends zero-window probes */
	INVENTORY_ORPHAN = 1 << 6,  /* an orphan in FIN_WAIT2 */
	INVENTORY_QUEUED = 1 << 7,  /* nobody has accepted it yet */
};

struct inventory_socket {
	struct record rec;
	__u32 timer; /* jiffies until the keepalive timer fires */
	__u32 flags; /* enum inventory_flag */
	/* With FLAG_KERNEL in rec.flags a struct inventory_user follows. */
};

/* The keepalive timer; sock_of_timer() in compat.h is the way back. */
static __always_inline struct timer_list___when *keepalive_timer_of(struct sock *sk)
{
	if (bpf_core_field_exists(struct inet_connection_sock___moved, icsk_keepalive_timer))
		return (void *)sk + bpf_core_field_offset(struct inet_connection_sock___moved,
							  icsk_keepalive_timer);
	return (void *)sk + bpf_core_field_offset(struct sock, sk_timer);
}

/* Whether it waits to be accepted: a connection gets its struct socket then
 * (inet_accept), and loses it when it is closed, in a later state (sock_orphan).
 * MPTCP takes it from a subflow in any state. */
static __always_inline int is_queued(struct sock *sk)
{
	__u8 state = READ(sk, __sk_common.skc_state);

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) && !READ(sk, sk_socket) &&
	       !is_subflow(sk);
}

/* The function that a socket of the kernel's tells of data, with its module; as
 * submit_kernel() does it. */
struct inventory_user {
	__u8 symbol[64];
};

static __always_inline void read_user(struct sock *sk, struct inventory_user *u)
{
	static const char format[] = "%ps";
	__u64 args[1];

	if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_snprintf))
		return;
	args[0] = (__u64)READ(sk, sk_data_ready);
	bpf_snprintf((char *)u->symbol, sizeof(u->symbol), format, args, sizeof(args));
}

static __always_inline void read_timers(struct sock *sk, struct inventory_socket *s)
{
	struct timer_list___when *timer = keepalive_timer_of(sk);
	__u8 pending = READ((struct inet_connection_sock___pending *)sk, icsk_pending);

	if (READ(timer, entry.pprev)) {
		__s32 left = (__u32)READ(timer, expires) - jiffies32();

		s->timer = left > 0 ? left : 0;
		s->flags |= INVENTORY_TIMER;
	}
	if (pending == ICSK_TIME_RETRANS || pending == ICSK_TIME_LOSS_PROBE || pending == ICSK_TIME_REO_TIMEOUT)
		s->flags |= INVENTORY_RETRANS;
	else if (pending == ICSK_TIME_PROBE0)
		s->flags |= INVENTORY_WINDOW;
}

#endif
