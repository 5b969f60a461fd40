// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Who holds which socket: an iterator over the descriptors of all processes of
 * the reader's pid namespace that writes one struct owner_file for each that
 * refers to a stream socket of IPv4 or IPv6, to a namespace or to an io_uring. */
#include "kernel_types.h"

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "owner.h"
#include "read.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Makes bpf2go emit the Go types. */
const struct owner_file *unused_file __attribute__((unused));
const struct owner_listener *unused_listener __attribute__((unused));
const enum owner_kind *unused_kind __attribute__((unused));

/* The table of a process whose first thread has ended, and the thread that it
 * was told of: all of its threads come here, each with the whole table. */
static struct {
	__u64 session;
	struct files_struct *files;
	struct task_struct *task;
} told;

/* The pid that the reader's /proc shows. The iterator gives the tasks of the
 * namespace that its opener is in, and the opener reads it: current's level. */
static __always_inline __u32 pid_of(struct task_struct *task)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	__u32 level = READ(READ(reader, thread_pid), level), nr = 0;
	struct pid *pid = READ(task, thread_pid);

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* read_task says whose descriptor it is; 0: it was told of with another thread.
 * The iterator leaves out threads that share their first thread's table. */
static __always_inline int read_task(struct task_struct *task, __u64 session, struct owner_file *f)
{
	struct task_struct *leader = READ(task, group_leader);
	struct files_struct *files = READ(task, files);

	if (task != leader) {
		struct files_struct *first = READ(leader, files);

		if (first == files)
			return 0;
		f->apart = first != NULL;
		if (told.session == session && told.files == files && told.task != task)
			return 0;
		told.session = session;
		told.files = files;
		told.task = task;
	}
	f->pid = pid_of(leader);
	f->task = task == leader ? f->pid : pid_of(task);
	return f->pid && f->task;
}

static __always_inline int is_io_uring(struct file *file)
{
	static const char want[] = "[io_uring]"; /* io_uring_get_file() */
	char name[sizeof(want)] = {};

	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (int i = 0; i < (int)sizeof(want); i++)
		if (name[i] != want[i])
			return 0;
	return 1;
}

static __always_inline void read_listener(struct sock *sk, __u16 family, struct owner_listener *l)
{
	l->family = family;
	l->port = READ(sk, __sk_common.skc_num);
	l->netns = READ(READ(sk, __sk_common.skc_net.net), ns.inum);
	if (family == AF_INET6)
		BPF_CORE_READ_INTO((struct in6_addr *)l->local, sk, __sk_common.skc_v6_rcv_saddr);
	else
		BPF_CORE_READ_INTO((__be32 *)l->local, sk, __sk_common.skc_rcv_saddr);
}

SEC("iter/task_file")
int list_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct {
		struct owner_file file;
		struct owner_listener listener;
	} f = {};
	struct socket___held *socket;
	struct inode___held *inode;
	struct sock *sk;
	__u16 family;

	if (!task || !file)
		return 0; /* the end */
	inode = (void *)READ(file, f_inode);
	switch (READ(READ(inode, i_sb), s_magic)) {
	case SOCKFS_MAGIC:
		socket = READ(file, private_data);
		if (READ(socket, type) != SOCK_STREAM)
			return 0;
		sk = READ(socket, sk);
		family = READ(sk, __sk_common.skc_family);
		if (family != AF_INET && family != AF_INET6)
			return 0;
		f.file.inode = READ(inode, i_ino);
		f.file.kind = OWNER_SOCKET;
		if (READ(sk, __sk_common.skc_state) == TCP_LISTEN) {
			f.file.kind = OWNER_LISTENER;
			read_listener(sk, family, &f.listener);
		}
		break;
	case NSFS_MAGIC:
		f.file.kind = OWNER_NAMESPACE;
		break;
	case ANON_INODE_FS_MAGIC:
		if (!is_io_uring(file))
			return 0;
		f.file.kind = OWNER_IO_URING;
		break;
	default:
		return 0;
	}
	if (!read_task(task, ctx->meta->session_id, &f.file))
		return 0;
	f.file.fd = ctx->fd;
	if (f.file.kind == OWNER_LISTENER)
		bpf_seq_write(ctx->meta->seq, &f, sizeof(f));
	else
		bpf_seq_write(ctx->meta->seq, &f.file, sizeof(f.file));
	return 0;
}
