// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
)

// addresses says which host has which; the first one is what it connects from.
var addresses = map[string][]netip.Addr{
	"db":  addrs("10.0.0.1"),
	"pod": addrs("10.0.0.2"),
	"elsewhere": append(crowdAddresses(), addrs("10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14", "10.0.0.15", "10.0.0.31", "10.0.0.32", "10.0.0.33", "10.0.0.34",
		"198.51.100.23", "203.0.113.7", "203.0.113.50", "203.0.113.99")...),
}

// far is how long a packet takes to those that are not in the same rack.
var far = map[string]time.Duration{
	"198.51.100.23": 18 * time.Millisecond,
	"203.0.113.7":   41 * time.Millisecond,
	"203.0.113.50":  33 * time.Millisecond,
	"203.0.113.99":  12 * time.Millisecond,
}

// The processes' cgroups, as systemd, and Kubernetes with containerd, name them.
const (
	postgresql = "system.slice/system-postgresql.slice/postgresql@15-main.service"
	redis      = "system.slice/redis-server.service"
	nginx      = "system.slice/nginx.service"
	ssh        = "system.slice/ssh.service"
	pod        = "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/"
	shop       = pod + "cri-containerd-3f2a9c0d1b4e7f60815293a4b5c6d7e8f9a0b1c2d3e4f5061728394a5b6c7d8e.scope"
	pooler     = pod + "cri-containerd-9c41e07a2d5b38f6c1a0947e6d2b5f830c9e1a7d4b6f28530e9d7c1b4a6f8e25.scope"
)

// A connection is one of a traced process's: it listens at its port, or dials
// the peer's.
type connection struct {
	process, cgroup, host string
	port                  uint16 // the service's
	dials                 bool
	peer                  string
	settings              settings
	another               bool // not of the process before it, but of a new one

	socket int // the peer's end
	actor  *actor
}

// cast is everybody, in the order in which they connect. The settings are what
// these programs are given in practice.
func cast() []*connection {
	backend := settings{idle: 30, intvl: 10, cnt: 6}
	client := settings{idle: 60, intvl: 20, cnt: 3}
	return []*connection{
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.11", settings: backend},
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.11", settings: backend, another: true},
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.12", settings: backend, another: true},
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.12", settings: backend, another: true},
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.12", settings: backend, another: true},
		{process: "postgres", cgroup: postgresql, host: "db", port: 5432, peer: "10.0.0.13", another: true,
			settings: settings{idle: 30, intvl: 10, cnt: 6, userTimeout: 45000}},
		{process: "redis-server", cgroup: redis, host: "db", port: 6379, peer: "10.0.0.11", settings: client},
		{process: "redis-server", cgroup: redis, host: "db", port: 6379, peer: "10.0.0.12", settings: client},
		{process: "redis-server", cgroup: redis, host: "db", port: 6379, peer: "10.0.0.14", settings: client},
		{process: "nginx", cgroup: nginx, host: "db", port: 443, peer: "198.51.100.23", settings: settings{idle: 30, intvl: 5, cnt: 4}},
		{process: "nginx", cgroup: nginx, host: "db", port: 443, peer: "203.0.113.7", settings: settings{idle: 30, intvl: 5, cnt: 4}},
		{process: "nginx", cgroup: nginx, host: "db", port: 443, peer: "203.0.113.50", settings: settings{idle: 30, intvl: 5, cnt: 4}},
		{process: "sshd", cgroup: ssh, host: "db", port: 22, peer: "203.0.113.99"},
		{process: "node", cgroup: shop, host: "pod", port: 6379, dials: true, peer: "10.0.0.33", settings: settings{idle: 15, intvl: 15, cnt: 4}},
		{process: "node", cgroup: shop, host: "pod", port: 443, dials: true, peer: "10.0.0.15", settings: settings{idle: 15, intvl: 15, cnt: 4}},
		{process: "node", cgroup: shop, host: "pod", port: 443, dials: true, peer: "10.0.0.34", settings: settings{idle: 30, intvl: 1, cnt: 10}},
		{process: "pgbouncer", cgroup: pooler, host: "pod", port: 5432, dials: true, peer: "10.0.0.31", settings: settings{idle: 30, intvl: 15, cnt: 6}},
		{process: "pgbouncer", cgroup: pooler, host: "pod", port: 5432, dials: true, peer: "10.0.0.32", settings: settings{idle: 15, intvl: 15, cnt: 6}},
	}
}

// A scene happens so long after the last connection is made.
type scene struct {
	at time.Duration
	do func() error
}

// A play is the cast on its hosts.
type play struct {
	cast   []*connection
	pace   time.Duration       // between two entrances
	story  func(*play) []scene // in order of time
	wire   *wire
	hosts  map[string]*host
	actors []*actor
}

func (p *play) run() error {
	for name, way := range far {
		p.wire.away[netip.MustParseAddr(name)] = way
	}
	for i, c := range p.cast {
		if i > 0 && !c.another && p.cast[i-1].process == c.process {
			c.actor = p.cast[i-1].actor
		}
		if err := p.enter(c); err != nil {
			return fmt.Errorf("%s and %s: %w", c.process, c.peer, err)
		}
		time.Sleep(p.pace)
	}
	begin := time.Now()
	for _, a := range p.story(p) {
		time.Sleep(time.Until(begin.Add(a.at)))
		if err := a.do(); err != nil {
			return fmt.Errorf("after %v: %w", a.at, err)
		}
	}
	return nil
}

// story is what happens to those of cast.
func (p *play) single() []scene {
	lose := func(peer string) func() error { return p.fate(gone, peer) }
	return []scene{
		{time.Second, lose("10.0.0.12")},   // an application's host, with four connections
		{time.Second, lose("10.0.0.13")},   // one that a user timeout watches, too
		{time.Second, lose("203.0.113.7")}, // a client that left its network
		{time.Second, lose("203.0.113.50")},
		{2 * time.Second, lose("10.0.0.34")},
		{3 * time.Second, p.of("10.0.0.34", func(c *connection) error { return c.actor.tell("done", "write") })},
		{4 * time.Second, p.of("10.0.0.14", func(c *connection) error { return forget(c.socket) })}, // restarts
		{10 * time.Second, p.fate(unreachable, "10.0.0.31")},
		{20 * time.Second, lose("10.0.0.15")},
		{34 * time.Second, p.fate(carried, "203.0.113.50")}, // back, and
		{34 * time.Second, p.of("203.0.113.50", func(c *connection) error { return abort(c.socket) })},
		{70 * time.Second, p.fate(carried, "10.0.0.15")},
		{120 * time.Second, func() error { return nil }},
	}
}

// fate gives peers' packets another fate.
func (p *play) fate(f fate, peers ...string) func() error {
	return func() error {
		for _, peer := range peers {
			p.wire.set(peer, f)
		}
		return nil
	}
}

// of does something to the connection with a peer.
func (p *play) of(peer string, do func(*connection) error) func() error {
	return func() error {
		for _, c := range p.cast {
			if c.peer == peer {
				return do(c)
			}
		}
		return fmt.Errorf("nobody is connected to %s", peer)
	}
}

// enter makes a connection, and its process if it is not there yet.
func (p *play) enter(c *connection) (err error) {
	if c.actor == nil {
		if c.actor, err = startActor(c.process, c.cgroup, p.hosts[c.host]); err != nil {
			return err
		}
		p.actors = append(p.actors, c.actor)
	}
	s := c.settings
	own, peer := addresses[c.host][0], netip.MustParseAddr(c.peer)
	if !c.dials {
		service := netip.AddrPortFrom(own, c.port)
		if err := c.actor.tell("listening", "listen %s - %d %d %d %d", service, s.idle, s.intvl, s.cnt, s.userTimeout); err != nil {
			return err
		}
		err := p.hosts["elsewhere"].do(func() error {
			c.socket, err = dial(netip.AddrPortFrom(peer, 0), service)
			return err
		})
		if err != nil {
			return err
		}
		return c.actor.await("done")
	}
	service := netip.AddrPortFrom(peer, c.port)
	return p.hosts["elsewhere"].do(func() error {
		told := make(chan error, 1)
		c.socket, err = accept(service, func() {
			go func() {
				told <- c.actor.tell("done", "dial %s:0 %s %d %d %d %d", own, service, s.idle, s.intvl, s.cnt, s.userTimeout)
			}()
		})
		if err != nil {
			return err
		}
		return <-told
	})
}

// close ends the processes and removes their cgroups.
func (p *play) close() {
	for _, a := range p.actors {
		a.end()
	}
	for _, c := range p.cast {
		for dir := c.cgroup; dir != "."; dir = filepath.Dir(dir) {
			_ = os.Remove(filepath.Join("/sys/fs/cgroup", dir))
		}
	}
}

func addrs(names ...string) []netip.Addr {
	all := make([]netip.Addr, len(names))
	for i, name := range names {
		all[i] = netip.MustParseAddr(name)
	}
	return all
}
