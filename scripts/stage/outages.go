// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"net/netip"
	"time"
)

// The crowd is a shop with connections to forty database hosts, most of them to
// one, and a worker with connections to one queue.
const (
	crowded   = 9  // the host with most connections
	many      = 40 // of them
	few       = 6  // connections to each other host
	databases = 40
	queue     = "10.98.1.1"
)

func database(n int) string { return fmt.Sprintf("10.98.0.%d", n) }

func crowdAddresses() []netip.Addr {
	names := []string{queue}
	for n := 1; n <= databases; n++ {
		names = append(names, database(n))
	}
	return addrs(names...)
}

// crowd is everybody in the order in which they connect: many connections at a
// time, as from a pool.
func crowd() []*connection {
	pool := settings{idle: 20, intvl: 10, cnt: 6}
	var all []*connection
	for n := 1; n <= databases; n++ {
		conns := few
		if n == crowded {
			conns = many
		}
		for range conns {
			all = append(all, &connection{process: "shop", cgroup: "system.slice/shop.service", host: "db", port: 5432, dials: true,
				peer: database(n), settings: pool})
		}
	}
	for range 12 {
		all = append(all, &connection{process: "worker", cgroup: "system.slice/worker.service", host: "db", port: 6379, dials: true,
			peer: queue, settings: pool})
	}
	return all
}

// outages is what happens to the crowd. Between two of them is so much time that
// all who live have been probed.
func (p *play) outages() []scene {
	var rack, row []string
	for n := 10; n < 20; n++ {
		rack = append(rack, database(n))
	}
	for n := 20; n <= databases; n++ {
		row = append(row, database(n))
	}
	return []scene{
		{25 * time.Second, p.fate(gone, database(crowded))},                                                 // one host of forty dies
		{125 * time.Second, p.of(queue, func(c *connection) error { return c.actor.tell("done", "fill") })}, // the queue is frozen
		{190 * time.Second, p.fate(gone, rack...)},                                                          // a switch port flaps
		{245 * time.Second, p.fate(carried, rack...)},
		{320 * time.Second, p.fate(gone, row...)}, // a router dies
		{385 * time.Second, func() error { return nil }},
	}
}
