// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// A plan says how large the fleet is and what happens to it.
type plan struct {
	hosts, conns int           // conns of each host
	calm         time.Duration // ordinary traffic, then the router dies
	dead         time.Duration // so long it is looked at
	router       int           // which dies
	dir          string        // for the hosts' log files
	history      int           // lines of the day before
	seed         uint64
}

// A simulation is the hosts and their connections, by their timers' next firing.
type simulation struct {
	plan
	all    []*host
	timers timers
	begun  time.Time
	fired  int
}

// newSimulation makes the hosts, which can be scraped until ctx ends.
func newSimulation(ctx context.Context, p plan) (*simulation, error) {
	s := &simulation{plan: p, begun: time.Now()}
	r := rand.New(rand.NewPCG(p.seed, 1))
	for n := range p.hosts {
		h, err := newHost(p.dir, n+1)
		if err != nil {
			return nil, err
		}
		h.router = routerOf(n + 1)
		for i := range p.conns {
			c := h.connect(r, i, s.begun)
			h.state[0]++
			h.conns = append(h.conns, c)
			s.timers = append(s.timers, c)
		}
		h.metrics.Connections(h.state)
		s.all = append(s.all, h)
		if err := h.serve(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.ordinary(r, p.history); err != nil {
		return nil, err
	}
	for _, h := range s.all {
		if err := h.begin(s.begun); err != nil {
			return nil, err
		}
	}
	heap.Init(&s.timers)
	return s, s.flush()
}

// targets are the hosts' addresses, by name.
func (s *simulation) targets() (all []target) {
	for _, h := range s.all {
		all = append(all, target{Targets: []string{h.target()}, Labels: map[string]string{"instance": h.name}})
	}
	return all
}

// A target is an entry of Prometheus' file_sd_configs.
type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// start sets the clock to now: the hosts were made some time ago.
func (s *simulation) start() {
	late := time.Since(s.begun)
	s.begun = s.begun.Add(late)
	for _, c := range s.timers {
		c.heard, c.next = c.heard.Add(late), c.next.Add(late)
		if !c.back.IsZero() {
			c.back = c.back.Add(late)
		}
	}
}

// run lets the timers fire in real time until the plan is over.
func (s *simulation) run(ctx context.Context) error {
	died, end := s.begun.Add(s.calm), s.begun.Add(s.calm+s.dead)
	beat := s.begun.Add(time.Minute)
	alive := true
	for ctx.Err() == nil {
		now := time.Now()
		if now.After(end) {
			break
		}
		if alive && now.After(died) {
			alive = false
			s.kill(died)
		}
		if now.After(beat) {
			beat = beat.Add(time.Minute)
			for _, h := range s.all {
				if err := h.heartbeat(now); err != nil {
					return err
				}
			}
		}
		for len(s.timers) > 0 && !s.timers[0].next.After(now) {
			c := s.timers[0]
			over, err := c.fire(c.next)
			if err != nil {
				return err
			}
			s.fired++
			if c.over = over; over {
				heap.Pop(&s.timers)
			} else {
				heap.Fix(&s.timers, 0)
			}
		}
		if err := s.flush(); err != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return ctx.Err()
}

// kill lets nothing behind the router answer any more.
func (s *simulation) kill(now time.Time) {
	for _, c := range s.timers {
		if behind(s.router, c.Remote.Addr()) {
			c.dead, c.back = now, time.Time{}
		}
	}
}

// flush writes what the hosts have said so far.
func (s *simulation) flush() error {
	for _, h := range s.all {
		if h.log.Buffered() == 0 {
			continue
		}
		if err := h.log.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func (s *simulation) close() {
	for _, h := range s.all {
		_ = h.file.Close()
	}
}

// lines are how many were written that are to be sent.
func (s *simulation) lines() (n int) {
	for _, h := range s.all {
		n += h.lines
	}
	return n
}

// timers are a heap by their next firing.
type timers []*connection

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].next.Before(t[j].next) }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(*connection)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	*t = slices.Delete(*t, len(*t)-1, len(*t))
	return last
}
