/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What goes through the ring buffer: one record per event. The Go type is
 * generated from struct record (gen.go), nothing mirrors it by hand. */
#ifndef KATRACE_RECORD_H
#define KATRACE_RECORD_H

enum record_kind {
	RECORD_PROBE = 1,
	RECORD_ANSWER,
	RECORD_RESET,
	RECORD_PEER_RESET,
	RECORD_CLOSED,
	RECORD_TIMER,
	RECORD_WINDOW_PROBE,
	RECORD_ICMP,
	RECORD_PROBED,
	RECORD_ENABLED,
	RECORD_DROPPED,
	RECORD_ENDED,
	RECORD_SUSPENDED,
	RECORD_RESUMED,
	RECORD_UNTOLD, /* what records that were not made would have told of the connection: news.h */
};

enum record_flag {
	FLAG_ANSWERED = 1 << 0, /* the probe before this record was answered */
	FLAG_RTT = 1 << 1,	/* .rtt holds */
	FLAG_RET = 1 << 2,	/* .ret holds */
	FLAG_GAVE_UP = 1 << 3,	/* on RECORD_CLOSED: after a reset or peer_reset record */
	FLAG_RTT_EXACT = 1 << 4, /* .rtt is in ns, not in jiffies */
	FLAG_KERNEL = 1 << 5,	/* the kernel opened the socket: it is a struct kernel_record */
	FLAG_FOLLOWED = 1 << 6, /* a RECORD_CLOSED will come */
	FLAG_FILE = 1 << 7,	/* with FLAG_KERNEL: its file is a process's unless .symbol is a module's */
};

/* Settings that the socket did not set itself; the values of events.Setting. */
enum record_inherited {
	INHERITED_IDLE = 1 << 0,
	INHERITED_INTVL = 1 << 1,
	INHERITED_CNT = 1 << 2,
};

/* Why a reset, why no probe; the values of events.Reason. */
enum record_reason {
	REASON_NONE,
	REASON_COUNT,
	REASON_USER_TIMEOUT,
	REASON_SOCKET_BUSY,
	REASON_FIN_WAIT2,
	REASON_KEEPALIVE_OFF,
	REASON_CLOSED,
	REASON_DATA_IN_FLIGHT,
	REASON_NOT_IDLE,
};

/* Who sent the RST of RECORD_PEER_RESET; the values of events.RST. */
enum record_rst {
	RST_UNKNOWN,
	RST_UNKNOWN_CONNECTION,
	RST_ABORT,
	RST_THIS_HOST,
};

/* Which way the segment of RECORD_DROPPED went; the values of events.Direction. */
enum record_direction {
	DIRECTION_NONE,
	DIRECTION_IN,
	DIRECTION_OUT,
};

/* Who ended the connection of RECORD_ENDED; the values of events.By. */
enum record_by {
	BY_UNKNOWN,
	BY_RETRANSMISSION,
	BY_ZERO_WINDOW,
	BY_PEER,
	BY_THIS_HOST,
};

/* What keepalive waits for, of RECORD_SUSPENDED and RECORD_RESUMED; the values of
 * conn.Waiting. */
enum record_waits {
	WAITS_FOR_NOTHING = 0,
	WAITS_FOR_RETRANSMISSION = 2,
	WAITS_FOR_WINDOW = 3,
};

/* What is known of a peer; the values of events.Verdict. */
enum record_verdict {
	VERDICT_NONE = 0,
	VERDICT_ALIVE = 1,
	VERDICT_SILENT = 2,
	VERDICT_UNREACHABLE = 5,
	VERDICT_CONGESTED = 6,
	VERDICT_SUSPENDED = 7,
	VERDICTS,
};

/* What is known of a connection's story, as events.story has it. */
enum story_bit {
	STORY_HEARD = 1 << 0,	    /* the peer was heard after the last probe */
	STORY_WHOLE = 1 << 1,	    /* no probe since then was sent before the first record */
	STORY_WRAPPED = 1 << 2,	    /* icsk_probes_out may have come round before it */
	STORY_SILENT = 1 << 3,	    /* that it is silent was told since then */
	STORY_UNREACHABLE = 1 << 4, /* the same of unreachable */
	STORY_UNTOLD = 1 << 5,	    /* there were records that were not made since the last one that was */
	STORY_KNOWN = 1 << 6,	    /* user space has a story of it */
};

#define LEVEL_UNKNOWN 255

struct record {
	__u64 time;	    /* ns, CLOCK_BOOTTIME */
	__u64 sk;	    /* the socket's address: tells connections apart, never shown */
	__u64 inode;	    /* 0: orphan */
	__u64 cgroup;	    /* kernfs id in cgroup v2, 0: unknown */
	__u8 local[16];	    /* IPv4 in the first four bytes where family is AF_INET */
	__u8 remote[16];
	__u16 local_port;   /* host byte order */
	__u16 remote_port;
	__u32 netns;	    /* net.ns.inum */
	__u32 uid;
	__u32 seq;	    /* SND.UNA-1; UNTOLD: story.unanswered */
	__u32 idle;	    /* jiffies, the value in force */
	__u32 intvl;	    /* jiffies */
	__u32 user_timeout; /* ms, 0: not set */
	__u32 idle_for;	    /* jiffies since the last segment received */
	__u32 rtt;	    /* from the probe to its answer: jiffies, or ns (up to 4.29 s); UNTOLD: story.unheard */
	__s32 ret;	    /* RECORD_PROBE: what tcp_write_wakeup returned; RESET, PEER_RESET, ENDED: errno, 0: unknown */
	__u8 kind;	    /* enum record_kind */
	__u8 family;	    /* AF_INET, AF_INET6 */
	__u8 state;	    /* TCP_* */
	__u8 flags;	    /* enum record_flag */
	__u8 probes;	    /* unanswered, the one just sent included */
	__u8 cnt;	    /* the value in force */
	__u8 inherited;	    /* enum record_inherited */
	__u8 reason;	    /* enum record_reason; PEER_RESET: enum record_rst; DROPPED: enum record_direction; UNTOLD: enum story_bit */

	/* What follows only RECORD_ICMP, RECORD_ENABLED, RECORD_DROPPED, RECORD_ENDED,
	 * RECORD_SUSPENDED, RECORD_RESUMED and those with FLAG_KERNEL have; the others end here. */
	__u8 from[16];	    /* ICMP: who said it, in the form of local and remote */
	__u8 comm[16];	    /* ENABLED: the process that did it */
	__u64 location;	    /* DROPPED: the code that dropped the segment */
	__u32 drop_reason;  /* DROPPED: enum skb_drop_reason of this kernel; 0: it gives none */
	__u32 pid;	    /* ENABLED: as katrace's own /proc shows it; 0: not known */
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 by;	  /* ENDED: enum record_by */
	__u8 rst;	  /* ENDED: enum record_rst */
	__u32 unacked;	  /* ENDED, SUSPENDED: bytes sent and not acknowledged, or not sent yet */
	__u8 retransmits; /* ENDED, SUSPENDED: of the oldest of these */
	__u8 waits;	  /* SUSPENDED, RESUMED: enum record_waits */
	/* What SUSPENDED has of the timer that is in charge, in jiffies; 0: not known. */
	__u8 retries2;	  /* net.ipv4.tcp_retries2 */
	__u8 level;	  /* of the timer wheel, in which it is; LEVEL_UNKNOWN */
	__u32 since;	  /* since the first retransmission or window probe, in ms */
	__u32 now;
	__u32 expires;	  /* when it is to fire, not rounded up */
	__u32 rto;	  /* as doubled so far; or between window probes */
	__u32 rto_max;
};

/* A record about a socket that the kernel opened, and RECORD_DROPPED. */
struct kernel_record {
	struct record rec;
	__u8 symbol[64]; /* "name [module]" of a function: what the socket tells of data,
			  * sk_data_ready; on RECORD_DROPPED the one at .location */
};

#define RECORD_SHORT __builtin_offsetof(struct record, from)

/* A record on the stack that has the short part alone. */
#define SHORT_RECORD(r)                                                                                 \
	__u8 r##_short[RECORD_SHORT] __attribute__((aligned(8)));                                       \
	struct record *r = (void *)r##_short

#endif
