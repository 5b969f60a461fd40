// SPDX-License-Identifier: BSD-2-Clause

// Command stream writes a made-up recording to stdout, to load the live view
// and the replay with: connections that are probed in turn, most of which
// answer, while a few fall silent, are given up, and are followed by others.
//
//	go run ./test/stream -rate 100000 -conns 100000 -events 10000000 | bin/katrace replay --speed 0 -
package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

func main() {
	conns := flag.Int("conns", 100_000, "connections alive at a time")
	total := flag.Int("events", 10_000_000, "events to write")
	rate := flag.Int("rate", 0, "events a second, 0: as fast as they are taken")
	deaths := flag.Int("deaths", 1000, "one connection of so many is silent")
	flag.Parse()
	if err := write(*conns, *total, *rate, *deaths); err != nil {
		fmt.Fprintln(os.Stderr, "stream:", err)
		os.Exit(1)
	}
}

// conn is one connection; its number makes its addresses.
type connection struct {
	number     uint32
	unanswered int
	probed     bool
}

func write(conns, total, rate, deaths int) error {
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	all := make([]connection, conns)
	for i := range all {
		all[i].number = uint32(i)
	}
	next := uint32(conns)
	settings := conn.Settings{Idle: 5 * time.Second, Interval: time.Second, Count: 5}
	start := time.Now()
	var line []byte
	for n := range total {
		if rate > 0 && n%1000 == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
			time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(rate))))
		}
		c := &all[n%conns]
		e := events.Event{
			State: conn.State{Netns: 4026531840, Inode: uint64(c.number) + 1000, Family: conn.IPv4, TCPState: conn.TCPEstablished, Local: addr(10<<24|1, 5432), Remote: addr(172<<24|16<<16|c.number>>8, uint16(1024+c.number&0xff)), Keepalive: settings, Has: conn.HasUID | conn.HasKeepalive | conn.HasIdleFor, Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "postgres"}, UID: 105}},
			Timer: conn.Timer{IdleFor: 5 * time.Second},
			Time:  time.Now(),
		}
		if next = c.step(&e, settings, deaths, next); e.Kind == 0 {
			continue
		}
		line = append(events.AppendJSON(line[:0], &e), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}

// step makes the connection's next event, and a new connection of one that ended.
func (c *connection) step(e *events.Event, s conn.Settings, deaths int, next uint32) uint32 {
	silent := int(c.number)%deaths == 0
	switch {
	case silent && c.unanswered == s.Count:
		e.Kind, e.Reason, e.Errno, e.Verdict = events.KindReset, events.ReasonCount, "ETIMEDOUT", events.VerdictTimedOut
		e.Unanswered, e.Has = c.unanswered, e.Has|conn.HasUnanswered
		*c = connection{number: next}
		return next + 1
	case !silent && c.probed:
		c.probed, c.unanswered = false, 0
		e.Kind, e.Verdict, e.RTT = events.KindAnswer, events.VerdictAlive, time.Duration(c.number%100)*time.Millisecond
		e.Has |= events.HasRTT
	default:
		c.probed = true
		c.unanswered++
		e.Kind, e.Unanswered, e.Next = events.KindProbe, c.unanswered, s.Interval
		e.DiesIn = s.DiesIn(c.unanswered, e.IdleFor, e.Next)
		e.Has |= conn.HasUnanswered | conn.HasNext | conn.HasDiesIn
		if c.unanswered > 1 {
			e.Verdict = events.VerdictSilent
		}
	}
	return next
}

func addr(ip uint32, port uint16) netip.AddrPort {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], ip)
	return netip.AddrPortFrom(netip.AddrFrom4(b), port)
}
