/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* That keepalive has no say: told once an episode, and that it is over. */
#ifndef KATRACE_SUSPEND_H
#define KATRACE_SUSPEND_H

#include "filter.h"
#include "follow.h"
#include "news.h"
#include "stall.h"

/* waits_of: what keepalive waits for, where there is something to send. */
static __always_inline enum record_waits waits_of(struct sock *sk)
{
	enum record_waits stall = stall_with_data(sk);

	return stall && keepalive_on(sk) ? stall : WAITS_FOR_NOTHING;
}

/* tell_suspension: the keepalive timer fires, and an episode begins or is over.
 * Called, for it is rare. */
static __noinline int tell_suspension(struct sock *sk, __u8 waits)
{
	struct firing *firing = this_firing();
	struct record *r;
	struct follow *f;

	if (!firing)
		return 0;
	r = &firing->made;
	__builtin_memset(r, 0, sizeof(*r));
	r->waits = waits;
	read_tuple(sk, r);
	/* Another processor is ending it, what waited is gone or going (tcp_write_err,
	 * tcp_reset: sk_err comes first, inet_put_port() last). A next firing tells where
	 * only an error is left to be read (IP_RECVERR). */
	if (!r->local_port || READ(sk, sk_err))
		return 0;
	if (!passes(r))
		return 0;
	f = waits ? follow(r) : followed_of(r);
	if (!f || f->waits == waits)
		return 0;
	if (waits)
		look_for_drops(sk, f);
	else if (!f->outstanding && !f->tried)
		settle(f);
	r->kind = waits ? RECORD_SUSPENDED : RECORD_RESUMED;
	r->flags |= FLAG_FOLLOWED;
	read_rest(sk, r);
	if (waits)
		read_stall(sk, r);
	else
		r->waits = f->waits;
	f->waits = waits;
	if (waits)
		count(COUNT_SUSPENDED);
	if (watching) {
		judge(&f->story, waits ? VERDICT_SUSPENDED : VERDICT_ALIVE);
		tell_always(f, r);
	}
	submit_long(r);
	return 0;
}

#endif
