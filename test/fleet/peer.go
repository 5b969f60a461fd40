// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// A service is what connections go to, with the settings that its clients have.
type service struct {
	port     uint16
	comm     string
	settings conn.Settings
}

// services are what a host is connected to. Those of the first three notice within a
// minute or so; the last has the kernel's defaults, and nothing is heard of it here.
var services = []service{
	{5432, "pgbouncer", conn.Settings{Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}},
	{6379, "web", conn.Settings{Idle: 20 * time.Second, Interval: 5 * time.Second, Count: 3}},
	{443, "agent", conn.Settings{Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 9, Inherited: conn.SettingCount}},
	{9092, "java", conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, Inherited: conn.AllSettings}},
}

// routers are how many there are, and peersEach how many peers are behind each.
const (
	routers   = 25
	peersEach = 40
)

// peer is the address of one behind a router.
func peer(router, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 20, byte(router), byte(n + 1)})
}

// behind says whether the peer is behind the router.
func behind(router int, peer netip.Addr) bool { return peer.As4()[2] == byte(router) }

// A connection is idle: what its keepalive timer does is all that happens.
type connection struct {
	conn.State
	host     *host
	dead     time.Time // from when on the peer does not answer; zero: it does
	back     time.Time // from when on it does again; zero: never
	heard    time.Time
	next     time.Time // the timer's next firing
	verdict  events.Verdict
	answered bool // the probe that is out
	silent   bool
	over     bool // it has ended
	aborts   bool // the peer resets it at the next firing: ordinary traffic
}

// connect makes a host's n-th connection, idle for a while.
func (h *host) connect(r *rand.Rand, n int, now time.Time) *connection {
	s := services[n%len(services)]
	c := &connection{host: h}
	c.Host, c.Netns, c.Inode = h.name, 4026531840, r.Uint64N(1<<40)
	c.Family, c.TCPState = conn.IPv4, conn.TCPEstablished
	c.Local = netip.AddrPortFrom(h.inside, uint16(32768+n))
	c.Remote = netip.AddrPortFrom(peer(r.IntN(routers), r.IntN(peersEach)), s.port)
	c.Process = conn.Process{PID: 1000 + n%len(services), Comm: s.comm}
	c.Cgroup = fmt.Sprintf("/system.slice/%s.service", s.comm)
	c.UID, c.Keepalive, c.Has = 1000, s.settings, conn.HasUID|conn.HasKeepalive
	c.heard = now.Add(-time.Duration(r.Int64N(int64(s.settings.Idle))))
	c.next = c.heard.Add(s.settings.Idle)
	switch p := r.Float64(); { // what happens on any day
	case p < 0.0005:
		c.dead = now
	case p < 0.0010:
		c.dead, c.back = now, c.next.Add(s.settings.Interval*3/2) // before it is given up
	case p < 0.0015:
		c.aborts = true
	}
	return c
}
