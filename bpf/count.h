/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counters that do not go through the ring, so that what it has no room for is
 * in them. They count what the records tell: what the kernel's part of the filter
 * passes. User space reads them through the mapping, as maps.h has it. */
#ifndef KATRACE_COUNT_H
#define KATRACE_COUNT_H

#include "record.h"

/* Somebody reads them. */
const volatile __u8 counting = 0;
/* Only changes are wanted: no record is made of anything else (news.h). */
const volatile __u8 quiet = 0;

/* A connection's story is kept. */
#define watching (counting || quiet)

enum counter {
	COUNT_SENT, /* probes, by what became of them */
	COUNT_CONGESTED,
	COUNT_FAILED,
	COUNT_ANSWERS,
	COUNT_PEER_PROBES,
	COUNT_SILENT, /* changes, as events.Change has them */
	COUNT_UNREACHABLE,
	COUNT_RECOVERED,
	COUNT_SUSPENDED,
	COUNT_RESET,					 /* + enum record_reason - REASON_COUNT */
	COUNT_PEER_RESET = COUNT_RESET + 2,		 /* + enum record_rst */
	COUNT_ENDED = COUNT_PEER_RESET + 4,		 /* + enum record_by * 4 + enum record_rst */
	COUNT_ICMP4_UNREACHABLE = COUNT_ENDED + 5 * 4,	 /* + code, up to 15 */
	COUNT_ICMP4_EXCEEDED = COUNT_ICMP4_UNREACHABLE + 16,
	COUNT_ICMP4_OTHER,
	COUNT_ICMP6_UNREACHABLE, /* + code, up to 7 */
	COUNT_ICMP6_TOO_BIG = COUNT_ICMP6_UNREACHABLE + 8,
	COUNT_ICMP6_EXCEEDED,
	COUNT_ICMP6_OTHER,
	COUNTERS,
};

#define COUNT_SLOTS 64 /* by processor, modulo */
__u64 counts[COUNT_SLOTS][COUNTERS] = {};

/* Followed connections that have not ended, by enum record_verdict. */
__s64 verdicts[VERDICTS] = {};

_Static_assert(!(COUNTERS & (COUNTERS - 1)) && !(VERDICTS & (VERDICTS - 1)), "used as masks");

static __always_inline void count(__u32 counter)
{
	if (counting)
		__sync_fetch_and_add(&counts[bpf_get_smp_processor_id() & (COUNT_SLOTS - 1)][counter & (COUNTERS - 1)], 1);
}

static __always_inline void count_probe(int ret)
{
	count(ret > 0 ? COUNT_CONGESTED : ret ? COUNT_FAILED : COUNT_SENT);
}

static __always_inline void count_icmp(int six, __u8 type, __u8 code)
{
	__u32 counter = six ? COUNT_ICMP6_OTHER : COUNT_ICMP4_OTHER;

	if (!six && type == ICMP_UNREACHABLE && code < 16)
		counter = COUNT_ICMP4_UNREACHABLE + code;
	else if (!six && type == ICMP_TIME_EXCEEDED)
		counter = COUNT_ICMP4_EXCEEDED;
	else if (six && type == ICMP6_UNREACHABLE && code < 8)
		counter = COUNT_ICMP6_UNREACHABLE + code;
	else if (six && type == ICMP6_TOO_BIG)
		counter = COUNT_ICMP6_TOO_BIG;
	else if (six && type == ICMP6_TIME_EXCEEDED)
		counter = COUNT_ICMP6_EXCEEDED;
	count(counter);
}

/* count_verdicts notes that there is one connection more, or less, with a verdict. */
static __always_inline void count_verdicts(__u8 verdict, __s64 more)
{
	if (watching)
		__sync_fetch_and_add(&verdicts[verdict & (VERDICTS - 1)], more);
}

#endif
