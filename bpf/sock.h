/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Reading a TCP socket: what the timer decides by, and what a record shows. */
#ifndef KATRACE_SOCK_H
#define KATRACE_SOCK_H

#include "compat.h"
#include "record.h"
#include "run.h"

#define TCP(sk, field) READ((struct tcp_sock *)(sk), field)
#define ICSK(sk, field) READ((struct inet_connection_sock *)(sk), field)

/* tcp_sock_of is the socket as FIELD and FROM take it. BY_TYPE the verifier does not
 * know that it is one, and wants a look whether it is NULL. */
static __always_inline struct tcp_sock *tcp_sock_of(struct sock *sk, enum reading how)
{
	return how == BY_TYPE ? bpf_skc_to_tcp_sock(sk) : KNOWN((struct tcp_sock *)sk);
}

static __always_inline __u32 jiffies32(void)
{
	return (__u32)bpf_jiffies64(); /* tcp_jiffies32 */
}

static __always_inline int sock_flag(struct sock *sk, enum sock_flags flag)
{
	return READ(sk, __sk_common.skc_flags) >> flag & 1;
}

/* jiffies_from a stamp until now. Outside the socket's lock a segment may come, and
 * the clock tick, after now was read: what is a moment ahead is not 2^32 ago. */
static __always_inline __u32 jiffies_from(__u32 stamp, __u32 now)
{
	return now - stamp <= -1000U ? now - stamp : 0;
}

/* elapsed: the smaller of two spans of jiffies, as keepalive_time_elapsed()
 * has it: unsigned, so that a stamp of 25 days ago (2^31 jiffies at HZ 1000) is
 * not taken for one to come. */
static __always_inline __u32 elapsed(__u32 now, __u32 rcv_tstamp, __u32 lrcvtime)
{
	__u32 ack = jiffies_from(rcv_tstamp, now), data = jiffies_from(lrcvtime, now);

	return ack < data ? ack : data;
}

/* heard_before: jiffies from the last segment that came until now. */
static __always_inline __u32 heard_before(struct sock *sk, __u32 now)
{
	const enum reading how = reading(UNTYPED);
	struct tcp_sock *tp = tcp_sock_of(sk, how);

	return elapsed(now, FIELD(tp, rcv_tstamp), FIELD((struct inet_connection_sock *)tp, icsk_ack.lrcvtime));
}

static __always_inline __u32 heard_ago(struct sock *sk) { return heard_before(sk, jiffies32()); }

/* heard_since: has a segment come since this time, in jiffies? */
static __always_inline int heard_since(struct sock *sk, __u32 at)
{
	__u32 now = jiffies32();

	return heard_before(sk, now) <= now - at;
}

/* keepalive_time_when() */
static __always_inline __u32 idle_of(struct sock *sk)
{
	__u32 own = TCP(sk, keepalive_time);

	return own ?: READ(READ(sk, __sk_common.skc_net.net), ipv4.sysctl_tcp_keepalive_time);
}

/* Nothing sent and unacknowledged, nothing unsent: tcp_keepalive_timer()
 * probes only then, and tcp_write_wakeup() is keepalive's only then, for a
 * zero-window probe needs data to send. (The mib argument would tell, too,
 * but its numbers move and their enum has no name for CO-RE to find.) */
static __always_inline int nothing_to_send(struct sock *sk)
{
	const enum reading how = reading(UNTYPED);
	struct tcp_sock *tp = tcp_sock_of(sk, how);

	return !FIELD(tp, packets_out) && FIELD(tp, write_seq) == FIELD(tp, snd_nxt);
}

/* all_acked implies nothing_to_send(), and takes fewer reads. */
static __always_inline int all_acked(struct sock *sk)
{
	const enum reading how = reading(UNTYPED);
	struct tcp_sock *tp = tcp_sock_of(sk, how);

	return FIELD(tp, write_seq) == FIELD(tp, snd_una);
}

/* An orphan in FIN_WAIT2: the keepalive timer serves it for tcp_fin_timeout. */
static __always_inline int is_fin_wait2_orphan(struct sock *sk)
{
	return READ(sk, __sk_common.skc_state) == TCP_FIN_WAIT2 &&
	       sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DEAD));
}

static __always_inline int keepalive_on(struct sock *sk)
{
	return sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN));
}

/* A subflow of MPTCP: its end is not the application's. */
static __always_inline int is_subflow(struct sock *sk)
{
	return bpf_core_field_exists(struct tcp_sock, is_mptcp) &&
	       BPF_CORE_READ_BITFIELD_PROBED((struct tcp_sock *)sk, is_mptcp);
}

/* why_no_probe: the tests of tcp_keepalive_timer(), in its order. idle: it is known
 * that there is nothing_to_send(). ago is heard_ago(). */
static __always_inline enum record_reason why_no_probe(struct sock *sk, int idle, __u32 ago)
{
	__u8 state = READ(sk, __sk_common.skc_state);

	if (READ(sk, sk_lock.owned))
		return REASON_SOCKET_BUSY;
	if (state == TCP_FIN_WAIT2 && is_fin_wait2_orphan(sk))
		return REASON_FIN_WAIT2;
	if (state == TCP_CLOSE || state == TCP_SYN_SENT)
		return REASON_CLOSED;
	if (!keepalive_on(sk))
		return REASON_KEEPALIVE_OFF;
	if (!idle && !nothing_to_send(sk))
		return REASON_DATA_IN_FLIGHT;
	if (ago < idle_of(sk))
		return REASON_NOT_IDLE;
	return REASON_NONE;
}

/* file_unheld: whether the socket, which has a file, was opened by the kernel, and
 * the file may be in no descriptor table (sunrpc: xs_create_sock(),
 * svc_setup_socket()). It may be a process's all the same: MPTCP opens its subflows
 * so, and before 5.16 what its listeners accept without MPTCP is marked as they are
 * (mptcp_accept()): see FLAG_FILE. After a fallback from SMC the file has another
 * inode. Called, for the bit takes many instructions. */
static __noinline int file_unheld(struct sock *sk, struct file___inode *file, struct inode *inode)
{
	int opened;

	if (direct_reads)
		opened = BPF_CORE_READ_BITFIELD(CAST(sk), sk_kern_sock);
	else
		opened = BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock);
	return opened && READ(file, f_inode) == inode;
}

/* read_holder: the inode number, which /proc/PID/fd shows as socket:[N]
 * (SOCK_INODE()), and whether the kernel itself opened the socket. Orphans, and
 * what nobody has accepted yet, have no inode. */
static __always_inline void read_holder(struct sock *sk, struct record *r, int typed)
{
	const enum reading how = reading(typed);
	struct socket *socket = READ_BY(how, sk, sk_socket);
	struct socket_alloc *alloc;
	struct file *file;

	if (!socket)
		return;
	alloc = (void *)socket - bpf_core_field_offset(struct socket_alloc, socket);
	r->inode = READ(alloc, vfs_inode.i_ino);
	file = READ_BY(how, socket, file);
	if (!file)
		r->flags |= FLAG_KERNEL;
	else if (file_unheld(sk, (void *)file, &alloc->vfs_inode))
		r->flags |= FLAG_KERNEL | FLAG_FILE;
}

/* holder_of is another one if the socket's inode, or read_holder's flags, are others. */
static __always_inline __u64 holder_of(struct sock *sk, int typed)
{
	const enum reading how = reading(typed);
	struct socket *socket = READ_BY(how, sk, sk_socket);
	struct file *file = socket ? READ_BY(how, socket, file) : NULL;

	return file ? (__u64)file : socket ? (__u64)socket : 1;
}

/* What is not in a record of what read_addresses reads. */
struct whose {
	struct net *net;
	__u32 hash; /* the kernel's own, of the tuple */
};

/* read_addresses: the tuple, but for its namespace's number. */
static __always_inline void read_addresses(struct sock *unknown, struct record *r, struct whose *w, int typed)
{
	const enum reading how = reading(typed);
	struct sock *sk = KNOWN(unknown);
	__u64 pair;
	RUN(common, sk, __sk_common.skc_addrpair, 88);

	r->sk = (__u64)unknown;
	r->family = FROM(common, sk, __sk_common.skc_family);
	r->state = FROM(common, sk, __sk_common.skc_state);
	pair = FROM(common, sk, __sk_common.skc_portpair);
	r->local_port = pair >> 16;
	r->remote_port = __builtin_bswap16(pair);
	if (r->family == AF_INET6) {
		*(struct in6_addr *)r->local = FROM(common, sk, __sk_common.skc_v6_rcv_saddr);
		*(struct in6_addr *)r->remote = FROM(common, sk, __sk_common.skc_v6_daddr);
	} else {
		pair = FROM(common, sk, __sk_common.skc_addrpair);
		*(__u32 *)r->local = pair >> 32;
		*(__u32 *)r->remote = pair;
	}
	w->net = FROM(common, sk, __sk_common.skc_net.net);
	w->hash = FROM(common, sk, __sk_common.skc_hash);
}

static __always_inline __u32 netns_of_net(struct net *net, int typed)
{
	return READ_BY(reading(typed), net, ns.inum);
}

static __always_inline __u32 netns_of_sock(struct sock *sk)
{
	return netns_of_net(READ(sk, __sk_common.skc_net.net), UNTYPED);
}

/* read_tuple: what tells the connection from others; enough for the filter. */
static __always_inline void read_tuple_as(struct sock *sk, struct record *r, int typed)
{
	struct whose w;

	read_addresses(sk, r, &w, typed);
	r->netns = netns_of_net(w.net, typed);
}

static __always_inline void read_tuple(struct sock *sk, struct record *r) { read_tuple_as(sk, r, UNTYPED); }

/* read_owner: whose the socket is. */
static __always_inline void read_owner_as(struct sock *sk, struct record *r, int typed)
{
	read_holder(sk, r, typed);
	r->cgroup = cgroup_of(sk);
	r->uid = READ_BY(reading(typed), sk, sk_uid.val);
}

static __always_inline void read_owner(struct sock *sk, struct record *r) { read_owner_as(sk, r, UNTYPED); }

/* What is not in a record of what read_state reads. */
struct sent {
	__u32 now; /* jiffies when it was read: all that is judged by it has to be by the same */
	__u32 packets_out, snd_nxt, write_seq;
	__u32 segs_in, data_segs_in;
};

/* is_busy is !nothing_to_send(). */
static __always_inline int is_busy(const struct sent *s)
{
	return s->packets_out || s->write_seq != s->snd_nxt;
}

/* read_state: settings, and how far things are; 0 if that cannot be read. */
static __always_inline int read_state(struct sock *sk, struct net *unknown, struct record *r, struct sent *s, int typed)
{
	const enum reading how = reading(typed);
	struct tcp_sock *tp = tcp_sock_of(sk, how);
	struct inet_connection_sock *icsk = (void *)tp;
	struct net *net;
	__u32 lrcvtime;

	s->now = jiffies32();
	if (how == BY_TYPE && !tp)
		return 0;
	{
		RUN(conn, icsk, icsk_probes_out, 64);

		lrcvtime = FROM(conn, icsk, icsk_ack.lrcvtime);
		r->probes = FROM(conn, icsk, icsk_probes_out);
		r->user_timeout = FROM(conn, icsk, icsk_user_timeout);
	}
	{
		RUN(recent, tp, segs_in, 64);

		s->snd_nxt = FROM(recent, tp, snd_nxt);
		s->segs_in = FROM(recent, tp, segs_in);
		s->data_segs_in = FROM(recent, tp, data_segs_in);
		r->seq = FROM(recent, tp, snd_una) - 1;
		r->idle_for = elapsed(s->now, FROM(recent, tp, rcv_tstamp), lrcvtime);
	}
	{
		RUN(flight, tp, packets_out, 24);

		s->packets_out = FROM(flight, tp, packets_out);
		r->cnt = FROM(flight, tp, keepalive_probes);
	}
	{
		RUN(settings, tp, keepalive_time, 8);

		r->idle = FROM(settings, tp, keepalive_time);
		r->intvl = FROM(settings, tp, keepalive_intvl);
	}
	s->write_seq = FIELD(tp, write_seq);
	if (r->idle && r->intvl && r->cnt)
		return 1;
	net = KNOWN(unknown);
	RUN(sysctls, net, ipv4.sysctl_tcp_keepalive_time, 16);
	if (!r->idle) {
		r->idle = FROM(sysctls, net, ipv4.sysctl_tcp_keepalive_time);
		r->inherited |= INHERITED_IDLE;
	}
	if (!r->intvl) {
		r->intvl = FROM(sysctls, net, ipv4.sysctl_tcp_keepalive_intvl);
		r->inherited |= INHERITED_INTVL;
	}
	if (!r->cnt) {
		r->cnt = FROM(sysctls, net, ipv4.sysctl_tcp_keepalive_probes);
		r->inherited |= INHERITED_CNT;
	}
	return 1;
}

/* read_rest: everything that is the same for every kind of record. */
static __always_inline void read_rest_as(struct sock *sk, struct record *r, int typed)
{
	struct sent s;

	r->time = bpf_ktime_get_boot_ns();
	read_owner_as(sk, r, typed);
	read_state(sk, READ_BY(reading(typed), sk, __sk_common.skc_net.net), r, &s, typed);
}

static __always_inline void read_rest(struct sock *sk, struct record *r) { read_rest_as(sk, r, UNTYPED); }

#endif
