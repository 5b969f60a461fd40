/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is news: from which records on a connection's state is another one. This
 * is events.Tracker's judgement (tracker.go, change.go), which has to be the same:
 * where only changes are wanted, no record is made of what changes nothing. What
 * such records would have held, and the tracker needs for the next one, goes
 * before that as RECORD_UNTOLD. */
#ifndef KATRACE_NEWS_H
#define KATRACE_NEWS_H

#include "follow.h"

/* submit_untold says how the story was before r, which is of the same connection. */
static __noinline int submit_untold(const struct follow *f, const struct record *r)
{
	struct record *u = bpf_ringbuf_reserve(&ring, RECORD_SHORT, 0);

	if (!u) {
		count_lost_ring();
		return 0;
	}
	__builtin_memcpy(u, r, RECORD_SHORT);
	u->kind = RECORD_UNTOLD;
	u->flags = FLAG_FOLLOWED;
	u->reason = f->was.bits;
	u->time = f->probed_ns;
	u->idle_for = f->was.idle_for;
	u->seq = f->was.unanswered;
	u->rtt = f->was.unheard;
	bpf_ringbuf_submit(u, 0);
	return 1;
}

/* keep keeps the story as it is before a record. */
static __always_inline void keep(struct follow *f)
{
	if (quiet)
		f->was = f->story;
}

/* is_told: is a record to be made, of news or not? */
static __always_inline int is_told(struct follow *f, const struct record *r, int news)
{
	__u8 bits = f->story.bits;

	if (!quiet)
		return 1;
	if (!news) {
		f->story.bits = bits | STORY_UNTOLD;
		return 0;
	}
	f->story.bits = (bits & ~STORY_UNTOLD) | STORY_KNOWN;
	if (bits & STORY_UNTOLD)
		submit_untold(f, r);
	return 1;
}

static __always_inline void judge(struct story *s, enum record_verdict verdict)
{
	if (s->verdict == verdict)
		return;
	count_verdicts(s->verdict, -1);
	count_verdicts(verdict, 1);
	s->verdict = verdict;
}

/* hear notes that the peer was heard: story.hear(). */
static __always_inline void hear(struct story *s)
{
	s->unheard = 0;
	s->bits = (s->bits & ~(STORY_SILENT | STORY_UNREACHABLE)) | STORY_HEARD | STORY_WHOLE;
}

/* answered notes an answer, and says whether that is news: a recovery. */
static __always_inline int answered(struct story *s)
{
	int news = s->bits & (STORY_SILENT | STORY_UNREACHABLE);

	count(COUNT_ANSWERS);
	if (news)
		count(COUNT_RECOVERED);
	hear(s);
	judge(s, VERDICT_ALIVE);
	return news;
}

/* keepalive_intvl_when() */
static __always_inline __u32 intvl_of(struct sock *sk)
{
	__u32 own = TCP(sk, keepalive_intvl);

	return own ?: READ(READ(sk, __sk_common.skc_net.net), ipv4.sysctl_tcp_keepalive_intvl);
}

/* may_have_wrapped: so many probes may have gone before the first one that was seen
 * that the kernel's count has come round. */
static __always_inline int may_have_wrapped(struct sock *sk, __u32 idle_for)
{
	__u32 intvl;

	if (!ICSK(sk, icsk_user_timeout))
		return 0;
	intvl = intvl_of(sk);
	return intvl && idle_for >= idle_of(sk) + 255ULL * intvl;
}

/* carry_on takes over icsk_probes_out: story.count(). */
static __always_inline void carry_on(struct sock *sk, struct story *s, __u8 now, __u32 idle_for)
{
	__u8 was = s->unanswered;

	if (!s->unanswered && !(s->bits & STORY_WRAPPED)) {
		s->unanswered = now;
		if (may_have_wrapped(sk, idle_for))
			s->bits |= STORY_WRAPPED;
	} else if (s->bits & STORY_HEARD && now <= 1) {
		s->unanswered = now;
		s->bits &= ~STORY_WRAPPED;
	} else if (now < was && was >= 256 - 16 && now < 16) {
		s->unanswered += 256 - was + now;
	} else if (now < was) {
		s->unanswered = now;
		s->bits &= ~STORY_WRAPPED;
	} else {
		s->unanswered += now - was;
	}
}

/* judge_sent notes a probe that was sent, or refused for good, and says whether that
 * is news: Tracker.probe(), story.changed(). */
static __always_inline int judge_sent(struct sock *sk, struct story *s, int ret, __u8 probes, __u32 idle_for)
{
	int silent;

	s->bits &= ~STORY_HEARD;
	s->idle_for = idle_for;
	s->unheard++;
	if (probes == 1)
		s->bits |= STORY_WHOLE;
	if (ret < 0 || s->bits & STORY_UNREACHABLE) {
		judge(s, VERDICT_UNREACHABLE);
		if (s->bits & STORY_UNREACHABLE)
			return 0;
		s->bits |= STORY_UNREACHABLE;
		count(COUNT_UNREACHABLE);
		return 1;
	}
	silent = s->unheard > 1;
	if (!(s->bits & STORY_WHOLE) && (s->bits & STORY_WRAPPED || s->unanswered > 1))
		silent |= idle_for >= (__u64)idle_of(sk) + intvl_of(sk);
	if (!silent) {
		if (s->verdict != VERDICT_ALIVE)
			judge(s, VERDICT_NONE);
		return 0;
	}
	judge(s, VERDICT_SILENT);
	if (s->bits & STORY_SILENT)
		return 0;
	s->bits |= STORY_SILENT;
	count(COUNT_SILENT);
	return 1;
}

/* is_unreachable: does the error say that a segment did not arrive? isUnreachable(). */
static __always_inline int is_unreachable(int six, __u8 type, __u8 code)
{
	if (six)
		return type == ICMP6_UNREACHABLE || type == ICMP6_TIME_EXCEEDED;
	return type == ICMP_TIME_EXCEEDED || (type == ICMP_UNREACHABLE && code != ICMP_FRAG_NEEDED);
}

/* What follows takes what a record is about to tell, and says whether it is news;
 * called, for all of it is in 512 bytes of stack. */

static __noinline int judge_probe(struct sock *sk, struct story *s, int is_answered, int ret, __u8 probes)
{
	__u32 idle_for = heard_ago(sk);
	int news = 0;

	if (is_answered)
		news = answered(s);
	if (ret <= 0 && probes == 1 && (__u8)s->unanswered)
		hear(s); /* every ACK clears the count, also one that no program saw */
	carry_on(sk, s, probes, idle_for);
	if (ret > 0)
		judge(s, VERDICT_CONGESTED);
	else
		news |= judge_sent(sk, s, ret, probes, idle_for);
	return news;
}

static __noinline int judge_answer(struct sock *sk, struct story *s, __u8 probes)
{
	int news = answered(s);

	if (probes) /* only data was heard */
		carry_on(sk, s, probes, heard_ago(sk));
	return news;
}

static __noinline int judge_icmp(struct sock *sk, struct story *s, int six, __u8 type, __u8 code)
{
	int news = 0;

	count_icmp(six, type, code);
	carry_on(sk, s, ICSK(sk, icsk_probes_out), heard_ago(sk));
	if (is_unreachable(six, type, code) && !(s->bits & STORY_UNREACHABLE)) {
		s->bits |= STORY_UNREACHABLE;
		count(COUNT_UNREACHABLE);
		news = 1;
	}
	if (s->bits & STORY_UNREACHABLE)
		judge(s, VERDICT_UNREACHABLE);
	return news;
}

/* And these say whether the record is to be made. */

static __always_inline int tell_probe(struct sock *sk, struct follow *f, const struct record *r, int ret, __u8 probes)
{
	keep(f);
	return is_told(f, r, judge_probe(sk, &f->story, r->flags & FLAG_ANSWERED, ret, probes));
}

static __always_inline int tell_answer(struct sock *sk, struct follow *f, const struct record *r, __u8 probes)
{
	keep(f);
	return is_told(f, r, judge_answer(sk, &f->story, probes));
}

static __always_inline int tell_icmp(struct sock *sk, struct follow *f, const struct record *r, int six)
{
	keep(f);
	return is_told(f, r, judge_icmp(sk, &f->story, six, r->icmp_type, r->icmp_code));
}

/* tell_always is for what is news in any case. */
static __always_inline int tell_always(struct follow *f, const struct record *r)
{
	keep(f);
	return is_told(f, r, 1);
}

/* tell_close: an end with an error is news, and a close is told of if user space
 * knows the connection. */
static __always_inline int tell_close(struct follow *f, const struct record *r, int err)
{
	keep(f);
	if (r->flags & FLAG_ANSWERED)
		err |= answered(&f->story);
	return is_told(f, r, err) || f->story.bits & STORY_KNOWN;
}

#endif
