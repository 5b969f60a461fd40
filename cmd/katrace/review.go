// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"sync/atomic"
	"time"

	"katrace/internal/events"
	"katrace/internal/loader"
)

// review has the tracker forget connections whose end was lost. It begins after a
// loss, and lists the connections that the programs follow beside the stream.
type review struct {
	tracer  follower
	tracker *events.Tracker

	step  reviewStep
	lost  uint64    // what had been lost when the latest began; 0: its listing failed
	read  uint64    // how far records have to be read before the next step
	rest  time.Time // none begins before
	found chan listed
	list  []uint64
	stop  atomic.Bool
}

type reviewStep int

const (
	reviewNone  reviewStep = iota
	reviewFirst            // what came before the loss is read first
	reviewLists            // the connections are being listed
	reviewWaits            // for the records of those that were just ending
	reviewLast             // what came before the list was whole is read first
)

// follower is loader.Tracer.
type follower interface {
	Followed(more func() bool) ([]uint64, error)
	Written() uint64
	HasRead(uint64) bool
}

type listed struct {
	sockets []uint64
	err     error
	took    time.Duration
}

// A review is made every half a minute at the most, or where the listing takes long, a
// thousandth of the time is spent on it: 20 ms for a million empty places in the table
// of what is followed, and half a microsecond more for each that is not empty.
const (
	reviewEvery = 30 * time.Second
	reviewRest  = 1000
)

// second is called once a second. lost is what was lost since the start.
func (r *review) second(now time.Time, lost *loader.Lost) {
	switch r.step {
	case reviewNone:
		n := lost.Ring + lost.Missed + lost.Skipped.Total()
		if n != r.lost && !now.Before(r.rest) && !r.tracker.Empty() {
			r.step, r.lost, r.read = reviewFirst, n, r.tracer.Written()
		}
	case reviewFirst:
		if r.tracer.HasRead(r.read) {
			r.step = reviewLists
			r.begin()
		}
	case reviewLists:
		select {
		case l := <-r.found:
			r.step, r.list, r.rest = reviewWaits, l.sockets, now.Add(max(reviewEvery, reviewRest*l.took))
			if l.err != nil { // the tracker's limit holds until it is tried again
				r.step, r.lost = reviewNone, 0
			}
		default:
		}
	case reviewWaits:
		// A connection is off the list before the record of its end is made, far less
		// than a second before.
		r.step, r.read = reviewLast, r.tracer.Written()
	case reviewLast:
		if r.tracer.HasRead(r.read) {
			r.step = reviewNone
			r.tracker.EndReview(r.list)
			r.list = nil
		}
	}
}

func (r *review) begin() {
	r.tracker.BeginReview()
	r.found = make(chan listed, 1)
	go func() {
		begun := time.Now()
		sockets, err := r.tracer.Followed(func() bool { return !r.stop.Load() })
		r.found <- listed{sockets, err, time.Since(begun)}
	}()
}

// close waits for a listing under way.
func (r *review) close() {
	if r.step == reviewLists {
		r.stop.Store(true)
		<-r.found
	}
}
