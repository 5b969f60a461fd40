// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// programs are what the kernel's side follows and has written, without a kernel.
type programs struct {
	t             *testing.T
	tracker       *events.Tracker
	follows       map[uint64]bool
	fails         error // the listing does
	ring          []loader.Record
	written, read uint64
}

func (p *programs) Followed(more func() bool) (all []uint64, _ error) {
	for sk := range p.follows {
		all = append(all, sk)
	}
	return all, p.fails
}

func (p *programs) Written() uint64       { return p.written }
func (p *programs) HasRead(n uint64) bool { return p.read >= n }

func (p *programs) record(kind uint8, sk uint64) {
	var r loader.Record
	r.Kind, r.Sk, r.LocalPort, r.RemotePort, r.Flags = kind, sk, 5432, uint16(sk), loader.FlagFollowed
	if p.follows[sk] = kind == loader.RecordProbe; !p.follows[sk] {
		delete(p.follows, sk)
	}
	p.ring, p.written = append(p.ring, r), p.written+1
}

// drain is the stream's reading of all there is.
func (p *programs) drain() {
	for i := range p.ring {
		if err := p.tracker.Record(&p.ring[i], func(*events.Event) error { return nil }); err != nil {
			p.t.Fatal(err)
		}
	}
	p.ring, p.read = nil, p.written
}

func (p *programs) known() (n uint64) {
	for _, of := range p.tracker.Connections() {
		n += of
	}
	return n
}

// seconds lets so many seconds pass. A listing that begins in them has ended by then:
// it reads what the test changes.
func (p *programs) seconds(r *review, from *time.Time, lost *loader.Lost, n int) {
	for range n {
		*from = from.Add(time.Second)
		r.second(*from, lost)
		p.drain()
		if r.step == reviewLists {
			l := <-r.found
			r.found <- l
		}
	}
}

// TestReviewForgetsTheLost: after a loss the tracker knows the connections that the
// programs follow and no other, also where what was read late tells of one that has
// ended since.
func TestReviewForgetsTheLost(t *testing.T) {
	p := &programs{t: t, tracker: events.NewTracker(time.Millisecond), follows: map[uint64]bool{}}
	r := &review{tracer: p, tracker: p.tracker}
	now, lost := time.Now(), loader.Lost{Skipped: loader.Skipped{Dropped: 1}}
	p.seconds(r, &now, &lost, 2)
	if r.step != reviewNone {
		t.Errorf("a review of no connection: step %d", r.step)
	}
	lost.Skipped.Dropped = 0
	for sk := range uint64(1000) {
		p.record(loader.RecordProbe, sk)
	}
	p.drain()
	p.seconds(r, &now, &lost, 100)
	if got := p.known(); got != 1000 || r.lost != 0 {
		t.Fatalf("without a loss: %d connections are known, want 1000", got)
	}

	// The ends of half of them are lost. Of one a probe is read only then, and of
	// another the end is.
	for sk := range uint64(500) {
		delete(p.follows, sk)
	}
	lost.Ring = 500
	p.record(loader.RecordProbe, 0)
	delete(p.follows, 0)
	r.second(now, &lost) // before that is read
	p.seconds(r, &now, &lost, 2)
	if r.step != reviewLists {
		t.Fatalf("after a loss: step %d, want the listing", r.step)
	}
	p.record(loader.RecordProbe, 2000) // made after it was listed
	p.record(loader.RecordClosed, 600)
	p.seconds(r, &now, &lost, 4)
	if got := p.known(); got != 500 {
		t.Errorf("after a loss: %d connections are known, want 500", got)
	}
	if r.step != reviewNone {
		t.Errorf("the review does not end: step %d", r.step)
	}

	// The next one is due half a minute later.
	lost.Missed++
	p.seconds(r, &now, &lost, 20)
	if r.step != reviewNone || r.lost == 501 {
		t.Error("a review began within half a minute")
	}
	p.seconds(r, &now, &lost, 30)
	if r.step != reviewNone || r.lost != 501 {
		t.Error("no review was made half a minute after the first")
	}
}

// TestReviewIsTriedAgain: a review whose listing fails is made again half a minute
// later, without another loss; one that was whole is not.
func TestReviewIsTriedAgain(t *testing.T) {
	p := &programs{t: t, tracker: events.NewTracker(time.Millisecond), follows: map[uint64]bool{}, fails: errors.New("they change too fast")}
	r := &review{tracer: p, tracker: p.tracker}
	p.record(loader.RecordProbe, 1)
	p.drain()
	delete(p.follows, 1)
	now, lost := time.Now(), loader.Lost{Ring: 1}
	p.seconds(r, &now, &lost, 20)
	if got := p.known(); got != 1 || r.step != reviewNone {
		t.Fatalf("after a listing that failed: %d connections are known, want 1; step %d", got, r.step)
	}
	p.fails = nil
	p.seconds(r, &now, &lost, 20)
	if got := p.known(); got != 0 {
		t.Errorf("half a minute after a listing that failed: %d connections are known, want none", got)
	}
	p.record(loader.RecordProbe, 2)
	p.drain()
	delete(p.follows, 2)
	p.seconds(r, &now, &lost, 100)
	if got := p.known(); got != 1 {
		t.Errorf("after a review that was whole, without another loss: %d connections are known, want 1", got)
	}
}

// TestReviewIsStopped: the end of the stream waits for a listing, which ends at once.
func TestReviewIsStopped(t *testing.T) {
	p := &endless{}
	r := &review{tracer: p, tracker: events.NewTracker(time.Millisecond), step: reviewFirst}
	r.second(time.Now(), &loader.Lost{})
	if r.step != reviewLists {
		t.Fatalf("step %d, want the listing", r.step)
	}
	r.close()
}

type endless struct{ programs }

func (*endless) HasRead(uint64) bool { return true }

func (*endless) Followed(more func() bool) ([]uint64, error) {
	for more() {
		time.Sleep(time.Millisecond)
	}
	return nil, nil
}
