// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// fire is what the keepalive timer does, and what katrace says of it; over: the
// connection has ended.
func (c *connection) fire(now time.Time) (over bool, err error) {
	k := &c.Keepalive
	if c.aborts {
		return true, c.end(now, events.Event{Kind: events.KindPeerReset, Errno: "ECONNRESET", RST: events.RSTAbort, Verdict: events.VerdictAborted})
	}
	if c.answered { // this is found only now
		if err := c.answer(now); err != nil {
			return false, err
		}
	}
	if c.Unanswered >= k.Count {
		return true, c.end(now, events.Event{Kind: events.KindReset, Reason: events.ReasonCount, Errno: "ETIMEDOUT", Verdict: events.VerdictTimedOut})
	}
	c.Unanswered++
	e := c.event(now, events.KindProbe)
	e.Seq, e.Next, e.DiesIn = 1000, k.Interval, time.Duration(k.Count-c.Unanswered+1)*k.Interval
	e.Has |= events.HasSeq | conn.HasNext | conn.HasDiesIn
	if c.Unanswered > 1 {
		e.Verdict = events.VerdictSilent
		if !c.silent {
			c.silent, e.Change = true, events.ChangeSilent
			c.becomes(events.VerdictSilent)
		}
	}
	if err := c.host.tell(&e); err != nil {
		return false, err
	}
	if !c.back.IsZero() && !now.Before(c.back) {
		c.dead, c.back = time.Time{}, time.Time{}
	}
	c.next = now.Add(k.Interval)
	switch c.answered = c.dead.IsZero(); {
	case c.answered:
		c.next = now.Add(k.Idle)
	case c.Unanswered == 1 && c.host.router.IsValid():
		return false, c.icmp(now)
	}
	return false, nil
}

// answer is found when the timer fires next.
func (c *connection) answer(now time.Time) error {
	k := &c.Keepalive
	e := c.event(now, events.KindAnswer)
	e.Has &^= conn.HasUnanswered
	e.Verdict = events.VerdictAlive
	if c.Unanswered > 1 {
		e.AfterProbes, e.SilentFor, e.Change = c.Unanswered, e.IdleFor-k.Idle, events.ChangeRecovered
	}
	c.heard = now.Add(-k.Idle) // when the probe left
	e.IdleFor = now.Sub(c.heard)
	c.Unanswered, c.answered, c.silent = 0, false, false
	c.becomes(events.VerdictAlive)
	return c.host.tell(&e)
}

// icmp is the error of a router before the one that died.
func (c *connection) icmp(now time.Time) error {
	e := c.event(now, events.KindICMP)
	e.ICMP = events.ICMP{Type: 3, Code: 1, Text: "host unreachable", From: c.host.router}
	e.Verdict = events.VerdictUnreachable
	e.Change, c.silent = events.ChangeUnreachable, true // it does not become silent as well
	c.becomes(events.VerdictUnreachable)
	return c.host.tell(&e)
}

func (c *connection) end(now time.Time, what events.Event) error {
	e := c.event(now, what.Kind)
	e.Reason, e.Errno, e.RST, e.Verdict, e.Change = what.Reason, what.Errno, what.RST, what.Verdict, events.ChangeEnded
	c.becomes(0)
	c.host.state[0]--
	return c.host.tell(&e)
}

// becomes counts the connection under another verdict.
func (c *connection) becomes(v events.Verdict) {
	c.host.state[c.verdict]--
	c.host.state[v]++
	c.verdict = v
	c.host.metrics.Connections(c.host.state)
}

func (c *connection) event(now time.Time, k events.Kind) events.Event {
	e := events.Event{Time: now.UTC(), Kind: k, State: c.State}
	e.IdleFor = now.Sub(c.heard)
	e.Has |= conn.HasUnanswered | conn.HasIdleFor
	return e
}

// routerOf is the router before the dead one, where the host has one that tells.
func routerOf(n int) netip.Addr {
	if n%4 != 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte{10, 0, byte(n % 16), 254})
}
