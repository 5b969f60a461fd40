/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How connections end that the timer does not give up: the peer's RST, and CLOSE. */
#ifndef KATRACE_END_H
#define KATRACE_END_H

#include "keepalive.h"

/* leaves_host: does the connection's route lead out of this host? Not where both
 * ends are on it. */
static __always_inline int leaves_host(struct sock *sk)
{
	struct net_device *dev = BPF_CORE_READ(sk, sk_dst_cache, dev);

	return dev && BPF_CORE_READ(dev, ifindex) != LOOPBACK_IFINDEX;
}

/* tcp_reset(sk, skb): what tcp_receive_reset, the tracepoint in it, does not
 * show: the segment. Its flags are kept until then. */
static __always_inline void handle_reset_segment(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_header tcp = {};
	struct ending e = {};
	__u64 key = (__u64)sk;

	if (!keepalive_on(sk))
		return;
	if (!bpf_probe_read_kernel(&tcp, sizeof(tcp), BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, transport_header)) &&
	    tcp.flags & TCP_FLAG_RST_BYTE) {
		e.rst = tcp.flags;
		e.here = BPF_CORE_READ(skb, skb_iif) == LOOPBACK_IFINDEX && leaves_host(sk);
	}
	bpf_map_update_elem(&endings, &key, &e, BPF_ANY);
}

/* note_reset notes that a RST ends the connection. It returns the RST's flags, 0
 * where they are not known. */
static __always_inline __u8 note_reset(struct sock *sk)
{
	struct ending e = { .reset = 1 }, *known;
	__u64 key = (__u64)sk;

	known = bpf_map_lookup_elem(&endings, &key);
	if (known) {
		known->reset = 1;
		return known->rst;
	}
	bpf_map_update_elem(&endings, &key, &e, BPF_ANY);
	return 0;
}

/* A firewall's RST comes soon after the probe that it refused, by way of lo. (On a
 * busy host that was half a second.) */
#define SOON_NS 1000000000ULL

/* rst_of says who sent the RST. One without ACK answers a segment of a
 * connection that its sender does not know; one with ACK is from a sender that
 * knew it (tcp_v4_send_reset, tcp_send_active_reset; RFC 9293, 3.5.2). This host's
 * firewall answers for the peer: the probe was refused, so the peer has not
 * seen it. */
static __always_inline enum record_rst rst_of(__u8 flags, const struct follow *f, __u64 now)
{
	if (flags & TCP_FLAG_ACK_BYTE)
		return RST_ABORT;
	if (f && f->refused && now - f->probed_ns < SOON_NS)
		return RST_THIS_HOST;
	return flags ? RST_UNKNOWN_CONNECTION : RST_UNKNOWN;
}

/* tcp_receive_reset: told if a keepalive probe is out. */
static __always_inline void handle_receive_reset(struct sock *sk)
{
	struct record r = {};
	struct follow *f;
	__u8 flags;

	count_seen(seen_resets);
	if (!keepalive_on(sk))
		return;
	flags = note_reset(sk);
	if (!ICSK(sk, icsk_probes_out) || !nothing_to_send(sk))
		return;
	read_tuple(sk, &r);
	f = followed_of(&r);
	/* Where nothing is known of its probes: one that is out was sent after the
	 * idle time. The kernel's count alone may be of probes before data came. */
	if (f ? !f->outstanding || heard_since(sk, f->probed_at) : heard_ago(sk) < idle_of(sk))
		return;
	if (!passes(&r))
		return;
	read_rest(sk, &r);
	r.kind = RECORD_PEER_RESET;
	r.reason = rst_of(flags, f, r.time);
	if (!is_subflow(sk)) /* tcp_reset() */
		r.ret = r.state == TCP_SYN_SENT ? ECONNREFUSED : r.state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
	f = end(&r);
	count(COUNT_PEER_RESET + r.reason);
	if (watching && f)
		tell_always(f, &r);
	submit(&r);
}

/* by_timer: a timer gave the connection up, and not keepalive's, which does so
 * only where all is acknowledged. tcp_retransmit_timer() asks
 * retransmits_timed_out() where the peer's window is open; that expires only after
 * a retransmission, and asks for the count (tcp_retries2, as a time) only where
 * there is no user timeout. Where the window is closed it asks
 * tcp_rtx_probe0_timed_out(). tcp_probe_timer() has its turn where all that was
 * sent is acknowledged: it asks for the user timeout, then for the count of probes
 * out. */
static __always_inline void by_timer(struct sock *sk, struct record *r)
{
	__u8 enough;

	if (TCP(sk, snd_wnd) && r->retransmits) {
		r->by = BY_RETRANSMISSION;
		r->reason = r->user_timeout ? REASON_USER_TIMEOUT : REASON_COUNT;
		return;
	}
	r->by = BY_ZERO_WINDOW;
	enough = r->probes >= READ(READ(sk, __sk_common.skc_net.net), ipv4.sysctl_tcp_retries2);
	if (enough != !!r->user_timeout)
		r->reason = enough ? REASON_COUNT : REASON_USER_TIMEOUT;
}

/* explain_end says by whom a connection with keepalive on ends, whose application
 * will read err. 0: it will not, or the end was told. Its own close() is no such
 * end, where an error was left unread before (IP_RECVERR). */
static __always_inline int explain_end(struct sock *sk, struct record *r, int err, struct ending e)
{
	int rst = err == ECONNRESET || err == EPIPE;

	if (e.told)
		return 0;
	r->retransmits = ICSK(sk, icsk_retransmits);
	r->unacked = unacked_of(sk, r->state);
	if (err == ECONNABORTED) {
		r->by = BY_THIS_HOST;
	} else if (rst && e.reset) {
		r->by = e.here ? BY_THIS_HOST : BY_PEER;
		if (e.rst)
			r->rst = e.rst & TCP_FLAG_ACK_BYTE ? RST_ABORT : RST_UNKNOWN_CONNECTION;
	} else if (READ(sk, sk_lock.owned) && READ(sk, sk_shutdown) == SHUTDOWN_MASK) {
		return 0;
	} else if (!rst) {
		if (err != (READ(sk, sk_err_soft) ?: ETIMEDOUT) || TCP(sk, write_seq) == TCP(sk, snd_una))
			return 0;
		by_timer(sk, r);
	}
	if (!is_subflow(sk))
		r->ret = err;
	return 1;
}

/* take_ending: what is known of how it ends. */
static __always_inline struct ending take_ending(__u64 key)
{
	struct ending e = {}, *known = bpf_map_lookup_elem(&endings, &key);

	if (known) {
		e = *known;
		bpf_map_delete_elem(&endings, &key);
	}
	return e;
}

/* error_of: the error with which a connection ends, and in e what is known of how.
 * 0: none, or one that is not told: keepalive is off, it was not established, or
 * no application will read it. Most ends cost no more than the first two reads. */
static __always_inline int error_of(struct sock *sk, int state, struct ending *e)
{
	int err = READ(sk, sk_err);

	if (!err || !keepalive_on(sk))
		return 0;
	*e = take_ending((__u64)sk);
	if (sock_flag(sk, bpf_core_enum_value(enum sock_flags, SOCK_DEAD)))
		return 0;
	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV || state == TCP_LISTEN || state == TCP_NEW_SYN_RECV)
		return 0;
	return err;
}

/* inet_sock_set_state: a connection ends. A followed one's address can be another
 * socket's at once, so this has to be heard; any other is told if its end is an
 * error. */
static __always_inline void handle_state(struct sock *sk, int before, int state)
{
	__u64 key = (__u64)sk, tuple, *known = NULL;
	struct ending ending = {};
	struct record r = {};
	struct follow *f;
	struct whose w;
	struct sent s;
	int err, same = 0, told_of = 0;

	if (state != TCP_CLOSE)
		return;
	err = error_of(sk, before, &ending);
	f = bpf_map_lookup_elem(&followed, &key);
	if (closes)
		known = bpf_map_lookup_elem(&told, &key);
	if (!f && !known && !err)
		return;
	read_addresses(sk, &r, &w, UNTYPED);
	r.netns = netns_of_net(w.net, UNTYPED);
	if (!r.local_port) /* inet_put_port() has taken it already */
		r.local_port = __builtin_bswap16(READ((struct inet_sock *)sk, inet_sport));
	tuple = hash_tuple(&r);
	if (known) {
		same = *known == tuple;
		bpf_map_delete_elem(&told, &key);
	}
	if (f && f->hash != w.hash) {
		forget(f, key);
		f = NULL;
	}
	if (!f && !same && (!err || !passes(&r)))
		return;
	read_state(sk, w.net, &r, &s, UNTYPED);
	if (f) {
		take_answer(f, &r, &s);
		if (!is_busy(&s)) /* else it may count zero-window probes */
			note_unseen(f, r.probes);
		if (f->ended) {
			r.flags |= FLAG_GAVE_UP;
			err = 0;
		}
		told_of = !watching || tell_close(f, &r, !!err);
		forget(f, key);
	}
	if (!told_of && !same && !err)
		return;
	r.time = bpf_ktime_get_boot_ns();
	read_owner(sk, &r);
	if (err && explain_end(sk, &r, err, ending)) {
		r.kind = RECORD_ENDED;
		if (r.local_port)
			count(COUNT_ENDED + r.by * 4 + r.rst);
		submit_long(&r);
	} else if (told_of || same) {
		r.kind = RECORD_CLOSED;
		submit(&r);
	}
}

#endif
