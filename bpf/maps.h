/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef KATRACE_MAPS_H
#define KATRACE_MAPS_H

#include "count.h"
#include "record.h"

/* Records to user space. The loader sets the size (--ring-size). Timers of some
 * seconds fire a quarter of a second's worth at a time, in softirq, where the
 * reader may not run: 100,000 probes a second, two records each, have to fit twice. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} ring SEC(".maps");

/* Records that did not get there, by cause. Global variables, for user space
 * reads them through its mapping: a look-up by system call would switch all
 * kprobe programs of a CPU off while it lasts (bpf_prog_active), and may be
 * preempted in the midst of it. */
__u64 lost_ring = 0;   /* the ring was full */
__u64 lost_follow = 0; /* records of connections for which a table was full */
__u64 lost_memory = 0; /* the same, and the kernel had no memory for a table at once */
__u64 lost_tuple = 0;  /* followed connections that an ICMP error or a drop cannot be matched to */
__u64 lost_unseen = 0; /* probes that icsk_probes_out counts and no program saw */

/* What the programs saw, for the loader to hold against counters that need no
 * program: the kernel may run none without saying so. */
#define SEEN_SLOTS 512 /* by processor, modulo */
__u64 seen_firings[SEEN_SLOTS] = {}; /* of tcp_keepalive_timer */
__u64 seen_resets[SEEN_SLOTS] = {};  /* of tracepoint tcp_receive_reset */

static __always_inline void count_seen(__u64 *seen)
{
	__sync_fetch_and_add(&seen[bpf_get_smp_processor_id() & (SEEN_SLOTS - 1)], 1);
}

/* What is told of a connection so far; where watching. */
struct story {
	__u32 unheard;	  /* probes since the peer was last heard, as far as programs saw them */
	__u32 unanswered; /* the kernel's count of these, carried on beyond its 8 bits */
	__u32 idle_for;	  /* jiffies, at the last probe */
	__u8 verdict;	  /* enum record_verdict */
	__u8 bits;	  /* enum story_bit */
	__u8 pad[2];
};

/* What is remembered of a connection from its first probe to its end. */
struct follow {
	__u64 tuple;	 /* its key in by_tuple */
	/* What is the same in each record of it: */
	__u64 inode, cgroup;
	__u64 holder;	 /* for whom .inode and .owner hold: holder_of(); 0: they do not */
	__u32 netns;
	__u32 hash;	 /* whose it is: skc_hash */
	__u64 probed_ns; /* boot clock, the last probe */
	__u32 probed_at; /* jiffies, the last probe, or try, or as look_for_drops() has it */
	/* The socket when it was sent: */
	__u32 segs_in;	    /* segments received */
	__u32 data_segs_in; /* of these, with data */
	__u32 write_seq;
	__u8 outstanding; /* probes since the peer was last heard, 255 at the most */
	__u8 left;	 /* the last one left this host, as far as is known */
	__u8 refused;	 /* the last one was refused by this host: -EPERM */
	__u8 ended;	 /* a reset or peer_reset record was made */
	__u8 armed;	 /* counted in armed */
	__u8 probes;	 /* icsk_probes_out when it was last told */
	__u8 told;	 /* .probes holds */
	__u8 waiting;	 /* counted in waiting */
	__u8 tried;	 /* the local queue refused a probe, and none is out */
	__u8 waits;	 /* enum record_waits, as it was told */
	__u8 owner;	 /* FLAG_KERNEL, FLAG_FILE */
	__u8 pad[5];
	__u64 drops;	 /* kinds of drops told since the peer was heard: first() */
	struct story story;
	struct story was; /* before the record that is being made */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u64); /* struct sock's address */
	__type(value, struct follow);
} followed SEC(".maps");

/* Connections that were told about and are not probed, by the hash of their
 * tuple, so that their end can be told; where closes is set. A table of their own,
 * for healthy connections must not take the place of those whose answers count. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u64); /* struct sock's address */
	__type(value, __u64);
} told SEC(".maps");

/* Followed connections by a hash of their tuple, for ICMP errors and segments
 * that are dropped: both come without a socket. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u64);
	__type(value, __u64); /* key in followed */
} by_tuple SEC(".maps");

/* Connections whose next segment is an answer; --rtt looks at packets only
 * while this is not 0. */
__s64 armed = 0;

/* Connections with a probe out, or one that the local queue refused, and suspended
 * ones, as far as is known: an answer may be known only when the timer fires next.
 * What the system drops is looked at only while this is not 0. */
__s64 waiting = 0;

/* What is known of a connection that is ending, from the first hook that shows it
 * to CLOSE. Not by CPU: a RST from the socket's backlog is taken by a process
 * (release_sock), which may go to another CPU between two hooks. An entry whose
 * CLOSE no program saw gives way to others. */
struct ending {
	__u8 rst;   /* the RST's flags, 0: not known */
	__u8 here;  /* the RST came by lo, and the connection's way is another */
	__u8 reset; /* a RST ends it */
	__u8 told;  /* a record has told its end, and there was no room to follow it */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* struct sock's address */
	__type(value, struct ending);
} endings SEC(".maps");

/* The firing that this CPU is in. Softirqs do not nest on a CPU, so one is enough. */
struct firing {
	__u64 timer;	 /* tracepoints: which timer is between entry and exit */
	__u64 sk;	 /* 0: none */
	__u64 wakeup_sk; /* kretprobe: between tcp_write_wakeup's entry and return */
	__u8 probes_out; /* at entry */
	__u8 done;	 /* a probe or reset came of this firing */
	__u8 orphan;	 /* tracepoints: in FIN_WAIT2 at entry */
	__u8 idle;	 /* tracepoints: nothing to send at entry */
	__u8 wakeups;	 /* kprobe: calls of tcp_write_wakeup under way; on PREEMPT_RT they may nest */
	__u8 followed;	 /* at entry */
	__u8 pad[2];
	struct record rec; /* with --all: the socket at entry */
	struct record made; /* one of the timer's entry: the stack has no room for it in two functions */
	struct record icmp; /* one of an ICMP error, which may come meanwhile (PREEMPT_RT) */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct firing);
} firings SEC(".maps");

static __always_inline struct firing *this_firing(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&firings, &zero);
}

#endif
