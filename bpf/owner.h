/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the search for sockets' holders reads and writes. */
#ifndef KATRACE_OWNER_H
#define KATRACE_OWNER_H

/* include/uapi/linux/magic.h */
#define SOCKFS_MAGIC 0x534F434B
#define NSFS_MAGIC 0x6e736673

#define SOCK_STREAM 1 /* include/linux/net.h */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct upid {
	int nr; /* the pid in one namespace */
};

struct pid {
	unsigned int level; /* of the innermost namespace */
	struct upid numbers[1];
};

struct task_struct {
	int pid, tgid; /* of the outermost namespace; the same: a process's first thread */
	struct pid *thread_pid;
};

struct super_block {
	unsigned long s_magic; /* which file system */
};

struct inode___held {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct socket___held {
	short type;
	struct sock *sk;
};

struct file {
	struct inode *f_inode;
	void *private_data; /* of a socket's: the struct socket, unless it was opened with O_PATH */
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

struct owner_file {
	__u64 inode; /* 0: not a socket, but a namespace's file */
	__u32 pid;   /* as the reader's /proc shows it */
	__u32 fd;
};

#endif
