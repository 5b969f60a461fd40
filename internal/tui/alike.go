// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"katrace/internal/conn"
	"katrace/internal/events"
)

// common is what many connections have alike: those of a process, and of a
// listener.
type common struct {
	Host string // as in conn.State
	conn.Owner
	Keepalive conn.Settings // conn.HasKeepalive
}

// alike is a common that connections share. It is never changed, so that a copy of
// a connection's facts may share it, too.
type alike struct {
	common
	uses  int    // by connections in the Store, whose lock guards it and what follows
	other *alike // has the same hash
}

// alikes are those of a Store.
type alikes struct{ hashed[common, alike] }

func newAlikes() alikes {
	return alikes{newHashed(func(a *alike) common { return a.common }, func(a *alike) **alike { return &a.other })}
}

// take is the one that all share which have this in common.
func (a *alikes) take(c common) *alike {
	one := a.get(c)
	if one == nil {
		one = &alike{common: c}
		a.put(one)
	}
	one.uses++
	return one
}

// release is for a connection that does not share it any more.
func (a *alikes) release(one *alike) {
	if one.uses--; one.uses == 0 {
		a.remove(one)
	}
}

// rare is what is known of few connections. It is never changed once it is of a
// connection's facts: copies of these share it.
type rare struct {
	farEnd      string // whose the other end is, where that is on this host and in this namespace (Store.row)
	sendError   string // of the latest probe
	errno       string
	rst         events.RST
	by          events.By
	retransmits uint8 // HasUnacked, as is unacked: as the connection ended or was suspended
	unacked     uint32
	icmp        events.ICMP
	icmpAt      nanos
	drop        *events.Drop // the latest segment that this host dropped since the peer answered; never changed
}

// ordinary is that of all others.
var ordinary = &rare{}

// setRare changes it for this connection alone.
func (f *facts) setRare(change func(*rare)) {
	r := *f.rare
	change(&r)
	f.rare = &r
}
