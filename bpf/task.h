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

/* name_doer notes the process that does something to the socket: the current one,
 * if it has the socket's lock. Otherwise this is a softirq, a BPF program has done
 * it (bpf_setsockopt), and the current task was only interrupted. */
static __always_inline void name_doer(struct sock *sk, struct record *r)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *leader;

	if (!READ(sk, sk_lock.owned) || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	leader = BPF_CORE_READ(task, group_leader);
	r->pid = pid_here(leader);
	if (r->pid)
		bpf_probe_read_kernel_str(r->comm, sizeof(r->comm), (void *)leader + bpf_core_field_offset(struct task_struct, comm));
}

#endif
