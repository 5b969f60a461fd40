/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the search for sockets' holders reads and writes. */
#ifndef KATRACE_OWNER_H
#define KATRACE_OWNER_H

/* include/uapi/linux/magic.h */
#define SOCKFS_MAGIC 0x534F434B
#define NSFS_MAGIC 0x6e736673
#define ANON_INODE_FS_MAGIC 0x09041934

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
	struct task_struct *group_leader; /* the process's first thread */
	struct pid *thread_pid;
	struct files_struct *files; /* NULL: the thread has ended */
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

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path; /* names what an anonymous inode is */
	struct inode *f_inode;
	void *private_data; /* of a socket's: the struct socket, unless it was opened with O_PATH */
};

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id; /* of one reading from beginning to end */
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop

enum owner_kind {
	OWNER_SOCKET = 1,
	OWNER_LISTENER, /* a socket that listens: a struct owner_listener follows */
	OWNER_NAMESPACE, /* a namespace's file */
	OWNER_IO_URING,	 /* an io_uring, which may hold sockets as direct descriptors */
};

struct owner_file {
	__u64 inode; /* of a socket */
	__u32 pid;   /* the process, as the reader's /proc shows it */
	__u32 task;  /* the thread in whose table the descriptor is */
	__u32 fd;
	__u8 kind;  /* enum owner_kind */
	__u8 apart; /* the table is the thread's own, the process has another */
	__u8 pad[2];
};

struct owner_listener {
	__u8 local[16]; /* IPv4 in the first four bytes where family is AF_INET */
	__u32 netns;	/* net.ns.inum */
	__u16 port;	/* host byte order */
	__u16 family;	/* AF_INET, AF_INET6 */
};

#endif
