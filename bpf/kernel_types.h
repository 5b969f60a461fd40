/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The kernel's types, as far as they are read here. Offsets come from the
 * running kernel's BTF at load time (CO-RE), so only names and types count. */
#ifndef KATRACE_KERNEL_TYPES_H
#define KATRACE_KERNEL_TYPES_H

#include <linux/types.h>

/* net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
	TCP_NEW_SYN_RECV = 12,
};

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

/* asm-generic/errno.h: what tcp_write_err and tcp_reset leave in sk_err. */
#define EPERM 1
#define E2BIG 7
#define EPIPE 32
#define ECONNABORTED 103 /* tcp_abort(), by sock_diag or bpf_sock_destroy() */
#define ECONNRESET 104
#define ETIMEDOUT 110
#define ECONNREFUSED 111

#define SHUTDOWN_MASK 3 /* include/net/sock.h: of sk_shutdown, both directions */
#define LOOPBACK_IFINDEX 1 /* include/net/flow.h: lo, in each network namespace */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/net/sock.h: the bits of sk_flags */
enum sock_flags {
	SOCK_DEAD = 0,
	SOCK_KEEPOPEN = 3,
};

/* include/net/rstreason.h, from 6.10 on */
enum sk_rst_reason {
	SK_RST_REASON_TCP_KEEPALIVE_TIMEOUT = 15,
};

/* include/net/dropreason-core.h, from 5.17 on */
enum skb_drop_reason {
	SKB_DROP_REASON_TCP_OLD_DATA = 1,
	SKB_DROP_REASON_TCP_OLD_SEQUENCE = 2,
	SKB_DROP_REASON_NOT_SPECIFIED = 3,
};

struct ns_common {
	unsigned int inum; /* what /proc/PID/ns/net shows */
};

struct netns_ipv4 {
	int sysctl_tcp_keepalive_time;	/* jiffies */
	__u8 sysctl_tcp_keepalive_probes;
	int sysctl_tcp_keepalive_intvl; /* jiffies */
	__u8 sysctl_tcp_retries2;	/* int before 5.13; at most 255 */
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4]; /* not bytes, each of which would be read by itself */
	} in6_u;
};

struct sock_common {
	__u64 skc_addrpair; /* skc_daddr, and in the upper half skc_rcv_saddr */
	__be32 skc_rcv_saddr;
	unsigned int skc_hash; /* of the tuple, with the kernel's secret; unlike skc_num it outlives CLOSE */
	__u32 skc_portpair; /* skc_dport, and in the upper half skc_num */
	__u16 skc_num; /* local port, host byte order */
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags; /* enum sock_flags */
};

struct timer_list {
	unsigned long expires;			 /* jiffies */
	void (*function)(struct timer_list *); /* tells whose timer it is */
	__u32 flags;				 /* hold its place in the timer wheel */
};

struct inode {
	unsigned long i_ino;
};

struct file___inode {
	struct inode *f_inode;
};

struct socket {
	struct file *file; /* NULL: the kernel's own, see read_holder() */
};

/* A socket's inode lies beside it: SOCK_INODE() in include/net/sock.h. */
struct socket_alloc {
	struct inode vfs_inode;
	struct socket socket;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

typedef struct {
	__u32 val;
} kuid_t;

struct sock_cgroup_data {
	struct cgroup *cgroup; /* from 5.15 on */
};

struct sock_cgroup_data___5_10 {
	__u64 val; /* the pointer, unless bit 0 is set (cgroup v1 data) */
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct dst_entry {
	struct net_device *dev;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		int owned; /* by a process, which is not the timer */
	} sk_lock;
	struct {
		int len; /* bytes of what came while it was owned */
	} sk_backlog;
	__u8 sk_kern_sock : 1; /* opened by the kernel, or accepted from such a one */
	struct timer_list sk_timer; /* keepalive's before 6.19, retransmission's after; see compat.h */
	int sk_err;		    /* what the application will read */
	int sk_err_soft;	    /* what an ICMP error left */
	__u8 sk_shutdown;	    /* SHUTDOWN_MASK; close() sets both bits first */
	struct dst_entry *sk_dst_cache; /* the route that it sends by */
	kuid_t sk_uid;
	struct socket *sk_socket; /* NULL: orphan */
	struct sock_cgroup_data sk_cgrp_data;
	void (*sk_data_ready)(struct sock *); /* tells which module uses a socket of the kernel's */
};

struct inet_sock {
	__be16 inet_sport; /* the local port; unlike skc_num it outlives CLOSE */
};

struct mptcp_subflow_context {
	struct sock *conn; /* the application's socket */
};

struct inet_connection_sock {
	void *icsk_ulp_data; /* of a subflow: its struct mptcp_subflow_context */
	__u8 icsk_backoff;	  /* of the window probes that were sent, where nothing is in flight */
	__u32 icsk_rto;		  /* jiffies, doubled by each retransmission */
	__u32 icsk_rto_max;	  /* jiffies, from 6.15 on; TCP_RTO_MAX before */
	__u32 icsk_probes_tstamp; /* jiffies, the first window probe; from 5.11 on */
	struct timer_list icsk_retransmit_timer; /* up to 6.18, see retransmit_timer_of() */
	__u8 icsk_retransmits;	  /* by the retransmission timer, of the oldest data */
	__u8 icsk_probes_out;	  /* shared by keepalive and zero-window probes */
	__u32 icsk_user_timeout; /* ms */
	struct {
		__u32 lrcvtime; /* jiffies, last data received */
	} icsk_ack;
};

/* 6.19, and stable kernels that took the change (6.1.192). */
struct inet_connection_sock___moved {
	struct timer_list icsk_keepalive_timer;
};

struct tcp_sock {
	__u32 packets_out;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 snd_wnd; /* the peer's receive window */
	__u32 rcv_tstamp; /* jiffies, last ACK received */
	__u32 segs_in;	  /* segments received */
	__u32 data_segs_in; /* of these, with data */
	__u32 rcv_nxt;
	__u32 rcv_wup;
	__u32 rcv_wnd;
	unsigned int keepalive_time;  /* jiffies, 0: the sysctl applies */
	unsigned int keepalive_intvl; /* jiffies, 0: the sysctl applies */
	__u8 keepalive_probes;	      /* 0: the sysctl applies */
	__u32 retrans_stamp;	      /* the first retransmission: ms, or us with tcp_usec_ts */
	__u8 tcp_usec_ts : 1;	      /* from 6.7 on */
	__u8 is_mptcp : 1;	      /* a subflow; not in every configuration */
};

struct sk_buff {
	unsigned int len; /* from data on */
	int skb_iif;	  /* the interface that it came by */
	struct sock *sk;
	unsigned long _skb_refdst; /* struct dst_entry *, with bits in the lowest places */
	struct net_device *dev;
	char cb[48]; /* struct tcp_skb_cb: seq, end_seq first */
	unsigned char *head, *data;
	__u16 transport_header, network_header; /* offsets from head */
};

#pragma clang attribute pop

/* Headers on the wire (RFC 791, 8200, 9293), as far as they are read. */
struct ipv4_header {
	__u8 version_ihl;
	__u8 skipped[5];
	__be16 fragment; /* flags, and the offset */
	__u8 ttl, protocol;
	__be16 checksum;
	__u8 saddr[4], daddr[4];
};

struct ipv6_header {
	__u8 skipped[6];
	__u8 next_header, hop_limit;
	__u8 saddr[16], daddr[16];
};

struct tcp_header {
	__be16 source, dest;
	__be32 seq, ack_seq;
	__u8 offset, flags;
};

/* include/uapi/linux/icmp.h, icmpv6.h */
#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4 /* a code of it */
#define ICMP_TIME_EXCEEDED 11
#define ICMP6_UNREACHABLE 1
#define ICMP6_TOO_BIG 2
#define ICMP6_TIME_EXCEEDED 3

#define TCP_FLAG_RST_BYTE 0x04
#define TCP_FLAG_PSH_BYTE 0x08
#define TCP_FLAG_ACK_BYTE 0x10

/* What the kprobe macros of bpf_tracing.h read arguments from: the part of
 * the registers whose layout is fixed. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
struct pt_regs;
#endif
/* bpf_tracing.h: use the kernel's register names (di), not the C library's (rdi). */
#define __VMLINUX_H__

#endif
