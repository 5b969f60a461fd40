/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who does what a socket is told to do. */
#ifndef KATRACE_TASK_H
#define KATRACE_TASK_H

#include "sock.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common___pid {
	unsigned int inum; /* what /proc/PID/ns/pid shows */
};

struct pid_namespace {
	struct ns_common___pid ns;
};

struct upid {
	int nr; /* the pid in one namespace */
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level; /* of the innermost namespace */
	struct upid numbers[1];
};

struct task_struct {
	unsigned int flags;
	char comm[16];
	struct pid *thread_pid;
	struct task_struct *group_leader;
};

#pragma clang attribute pop

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* The pid namespace that katrace's /proc is of; 0: not known. */
const volatile __u32 pid_namespace = 0;

/* pid_here is the process's pid as katrace's /proc shows it, 0 if it does not. */
static __always_inline __u32 pid_here(struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *ns;
	struct upid *at;

	for (__u32 i = 0; i < 8 && i <= level; i++) { /* namespaces nest 32 deep at most, in practice twice */
		at = (void *)pid + bpf_core_field_offset(struct pid, numbers) + i * bpf_core_type_size(struct upid);
		ns = BPF_CORE_READ(at, ns);
		if (BPF_CORE_READ(ns, ns.inum) == pid_namespace)
			return BPF_CORE_READ(at, nr);
	}
	return 0;
}

/* A segment is being received, or the socket is about to send its SYN: what is
 * done to the socket now, a BPF program does (bpf_setsockopt). Received is in a
 * softirq, which leaves a socket alone that a process has locked, or from the
 * backlog, by a process that lets go of the lock: __release_sock() takes the
 * backlog's length back last. So does a process have a backlog in whose system
 * call segments come: it goes unnamed, now and then. BPF_SOCK_OPS_TCP_CONNECT_CB
 * is at the beginning of tcp_connect(), when nothing is in flight yet. */
static __always_inline int done_by_bpf(struct sock *sk)
{
	struct sock *locked = sk;

	/* The MPTCP socket's lock is the process's; a subflow is only locked for the
	 * moment (mptcp_setsockopt_sol_socket_int: lock_sock_fast). */
	if (is_subflow(sk)) {
		struct mptcp_subflow_context *subflow = ICSK(sk, icsk_ulp_data);

		if (!subflow)
			return 1;
		locked = READ(subflow, conn);
	}
	return !READ(locked, sk_lock.owned) || READ(sk, sk_backlog.len) ||
	       (READ(sk, __sk_common.skc_state) == TCP_SYN_SENT && !TCP(sk, packets_out));
}

/* name_doer notes the process that does something to the socket: the current one,
 * where that is certain. */
static __always_inline void name_doer(struct sock *sk, struct record *r)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *leader;

	if (done_by_bpf(sk) || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	leader = BPF_CORE_READ(task, group_leader);
	r->pid = pid_here(leader);
	if (r->pid)
		bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), (void *)leader + bpf_core_field_offset(struct task_struct, comm));
}

#endif
