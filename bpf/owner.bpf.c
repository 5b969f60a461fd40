// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Who holds which socket: an iterator over the descriptors of all processes of
 * the reader's pid namespace that writes one struct owner_file for each that
 * refers to a stream socket of IPv4 or IPv6. */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "owner.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Makes bpf2go emit the Go type. */
const struct owner_file *unused_file __attribute__((unused));

/* The pid that the reader's /proc shows. The iterator gives the tasks of the
 * namespace that its opener is in, and the opener reads it: current's level. */
static __always_inline __u32 pid_of(struct task_struct *task)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	__u32 level = BPF_CORE_READ(reader, thread_pid, level), nr = 0;
	struct pid *pid = BPF_CORE_READ(task, thread_pid);

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct owner_file f = {};
	struct socket___held *socket;
	struct inode___held *inode;
	__u64 magic;

	if (!task || !file)
		return 0; /* the end */
	/* A thread with descriptors of its own is not to be seen in /proc/PID/fd. */
	if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	inode = (void *)BPF_CORE_READ(file, f_inode);
	magic = BPF_CORE_READ(inode, i_sb, s_magic);
	if (magic == SOCKFS_MAGIC) {
		socket = BPF_CORE_READ(file, private_data);
		if (BPF_CORE_READ(socket, type) != SOCK_STREAM)
			return 0;
		switch (BPF_CORE_READ(socket, sk, __sk_common.skc_family)) {
		case AF_INET:
		case AF_INET6:
			f.inode = BPF_CORE_READ(inode, i_ino);
			break;
		default:
			return 0;
		}
	} else if (magic != NSFS_MAGIC) {
		return 0;
	}
	f.pid = pid_of(task);
	f.fd = ctx->fd;
	bpf_seq_write(ctx->meta->seq, &f, sizeof(f));
	return 0;
}
