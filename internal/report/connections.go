// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"math"
	"time"

	"katrace/internal/conn"
	"katrace/internal/incident"
)

// MaxConnections bounds how many connections are followed at once, 500 bytes
// each.
const MaxConnections = 1 << 17

// connection is one that is followed, until it ends or is not heard of any more.
type connection struct {
	conn.State

	newer, older int32 // in the order of their latest events; none: -1
	last         int64 // ms: its latest event
	due          int64 // ms: until then its timer fires, if no data flows
	since        int64 // ms: when the peer was last heard, of the silence under way; none: no silence

	probes int // unanswered, in the silence under way

	wasSilent, suspended, probed bool

	known       time.Time // its first event
	failure     *incident.Failure
	peer, owner *party
	settings    *seenSettings
}

const none = math.MinInt64

// connections are those that are followed, at most so many. The one whose latest
// event is the oldest makes room for a new one if it is overdue by far: it was
// closed, which a recording need not tell.
type connections struct {
	most           int
	index          map[conn.ID]int32
	list           [][]connection // in pieces, so that what is there is never copied
	size           int32
	free           []int32
	newest, oldest int32
}

func newConnections(most int) *connections {
	return &connections{most: most, index: map[conn.ID]int32{}, newest: -1, oldest: -1}
}

// find is the connection, nil if it is not followed. It is the newest then.
func (c *connections) find(id conn.ID) *connection {
	i, ok := c.index[id]
	if !ok {
		return nil
	}
	if c.newest != i {
		c.unlink(i)
		c.link(i)
	}
	return c.at(i)
}

// piece is how many connections are allocated at once.
const piece = 1 << 10

func (c *connections) at(i int32) *connection { return &c.list[i/piece][i%piece] }

// forgettable is the connection that has to go before another one can be added;
// full says that none may.
func (c *connections) forgettable(at int64) (gone *connection, full bool) {
	if len(c.index) < c.most {
		return nil, false
	}
	if gone = c.at(c.oldest); at-gone.last < gone.patience() {
		return nil, true
	}
	return gone, false
}

// patience is after how many milliseconds without an event a connection is
// believed to be closed.
func (c *connection) patience() int64 {
	cycle := min(c.Keepalive.Idle, conn.Forever/4) + min(c.Keepalive.Interval, conn.Forever/4)
	return (2*cycle + time.Minute).Milliseconds()
}

// add follows one more; there has to be room.
func (c *connections) add(id conn.ID, at int64) *connection {
	var i int32
	if n := len(c.free); n > 0 {
		i, c.free = c.free[n-1], c.free[:n-1]
	} else {
		i = c.size
		c.size++
		if int(i/piece) == len(c.list) {
			c.list = append(c.list, make([]connection, piece))
		}
	}
	added := c.at(i)
	*added = connection{last: at, since: none, due: none}
	c.index[id] = i
	c.link(i)
	return added
}

// drop follows it no more.
func (c *connections) drop(gone *connection) {
	id := gone.ID()
	i := c.index[id]
	c.unlink(i)
	delete(c.index, id)
	*c.at(i) = connection{}
	c.free = append(c.free, i)
}

func (c *connections) link(i int32) {
	c.at(i).newer, c.at(i).older = -1, c.newest
	if c.newest >= 0 {
		c.at(c.newest).newer = i
	} else {
		c.oldest = i
	}
	c.newest = i
}

func (c *connections) unlink(i int32) {
	newer, older := c.at(i).newer, c.at(i).older
	if newer >= 0 {
		c.at(newer).older = older
	} else {
		c.newest = older
	}
	if older >= 0 {
		c.at(older).newer = newer
	} else {
		c.oldest = newer
	}
}

// all are those that are followed, the one with the oldest event first, until f
// returns false.
func (c *connections) all(f func(*connection) bool) {
	for i := c.oldest; i >= 0 && f(c.at(i)); i = c.at(i).newer {
	}
}
