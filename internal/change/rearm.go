// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
)

// Rearming is a timer that is armed anew.
type Rearming struct {
	Was  time.Duration // until it fires, as it was listed
	Next time.Duration // and as it is after that; in a dry run as it would be
	// Exact: by TCP_KEEPIDLE, which counts for how long the connection has been
	// idle. False: by SO_KEEPALIVE off and on, which arms for all of the idle time.
	Exact bool
}

// rearm arms the socket's timer by the settings in force, if it runs longer.
//
// Setting TCP_KEEPIDLE to the value in force does it exactly, but makes the
// value the socket's own: a later change of the sysctl does not reach it any
// more, and setsockopt cannot take that back (it refuses 0). So a socket that
// has its own value is armed by that, and one that has the sysctl's by switching
// SO_KEEPALIVE off and on, which leaves the source as it is.
func (r *Request) rearm(fd int, t *target) error {
	s := t.Socket
	t.After = t.Before
	was, runs := s.Expires()
	if !s.ArmedBeforeChange || !runs || !t.Before.On {
		t.Outcome = AsWanted
		return nil
	}
	own := s.Keepalive.Own()&conn.SettingIdle != 0 && t.Before.Idle == s.Keepalive.Idle
	t.Timer = &Rearming{Was: was, Next: t.Before.Idle, Exact: own}
	if own {
		t.Timer.Next = max(0, t.Before.Idle-s.IdleFor)
	}
	switch {
	case t.Timer.Next >= was:
		t.Timer = nil
		t.fail("its timer fires in %s; off and on would arm it for %s; --idle arms it exactly", conn.Span(was), conn.Span(t.Before.Idle))
		return nil
	case !r.Apply:
		t.Outcome = WouldChange
		return nil
	}
	var err error
	if own {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, t.Before.Number(Idle))
	} else if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	t.After = read(fd)
	switch changed := t.After.Differs(&t.Before); {
	case err != nil:
		t.fail("setsockopt: %v", err)
	case t.Subflows == 0 && changed != 0:
		t.fail("the kernel has another %s now: somebody else changes this socket, too", join(changed.Names()))
	default:
		t.Outcome = Changed
	}
	return r.tell(t)
}

// rearmByIdle notes that an idle time that is given arms a timer anew that runs
// too long, also where the socket has that idle time already.
func (t *target) rearmByIdle() {
	s := t.Socket
	if was, runs := s.Expires(); s.ArmedBeforeChange && runs && t.want.Known&Idle != 0 && t.Before.On && t.After.On {
		t.Timer = &Rearming{Was: was, Next: max(0, t.want.Idle-s.IdleFor), Exact: true}
		t.Sourced |= sourced(s, Idle)
	}
}

// check looks at what only a list shows: MPTCP's subflows, and the timer. The
// rows are those of the socket, listed again.
func (t *target) check(rows []*inventory.Socket, hz jiffies.HZ) {
	for _, s := range rows {
		if has := listed(s); t.want.Differs(&has) != 0 {
			t.fail("the subflow %s > %s has not taken it: it has %s", s.Local, s.Remote, has.AppendText(nil))
			return
		}
		if left, runs := s.Expires(); t.Timer != nil && runs && s.Remote == t.Socket.Remote {
			late := s.ArmedBeforeChange // by what was heard of the peer until now
			if !t.Timer.Exact {
				late = left > t.Timer.Next+hz.Slack(t.Timer.Next)+time.Second
			}
			if late {
				t.fail("its timer still runs for %s", conn.Span(left))
				return
			}
			t.Timer.Next = left
		}
	}
}
