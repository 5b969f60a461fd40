// SPDX-License-Identifier: BSD-2-Clause

// Package lab stages real TCP connections whose keepalive timers live through
// everything that katrace tells apart: for `katrace demo`, and for tests. It
// knows nothing of BPF; it knows what the kernel does, by the application's
// errno, the kernel's counters and a packet capture, and judges by them what
// katrace says.
//
// Every case has network namespaces of its own, without a name: nothing of the
// machine is touched, and all of it goes with the process, however that ends.
// No external program is run. It needs CAP_SYS_ADMIN, CAP_NET_ADMIN and
// CAP_NET_RAW, and for some cases the veth module.
package lab

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Case is one situation that a connection gets into.
type Case struct {
	Name    string        // unique: "vanished"
	About   string        // what there is to see, a sentence
	Staged  string        // what is done to the connection, in a few words
	Setting conn.Settings // of the traced socket; Inherited ones come from the namespace
	Family  conn.Family
	Expect  Expect

	network       func() (*network, error)
	needs         func() error                        // wraps ErrLacking where the kernel cannot; nil: nothing special
	proto         int                                 // IPPROTO_TCP, or IPPROTO_MPTCP
	connect       func(*stage) error                  // nil: both ends, as usual
	finTimeout    int                                 // net.ipv4.tcp_fin_timeout, seconds
	late          time.Duration                       // how long the connection is idle before keepalive is switched on
	retries2      int                                 // net.ipv4.tcp_retries2
	receiveBuffer int                                 // the peer's, bytes; 0: the system's
	unread        bool                                // the application reads nothing, it waits for an error
	prepare       func(*stage) error                  // just before keepalive is switched on
	run           func(context.Context, *stage) error // from then to the end
}

// Ending says what ended the connection.
type Ending uint8

// The endings.
const (
	ByLab       Ending = iota // the lab closed it; keepalive had no part in it
	ByKeepalive               // the keepalive timer gave it up
	ByPeer                    // the peer sent a RST while a probe was out
	ByHost                    // so did this host, and nothing of it was on the wire
	ByOther                   // another one, as Expect.By says, with an error and no probe out
)

// Expect is what the kernel does in a Case, and what a tracer that misses
// nothing would say about it.
type Expect struct {
	Errno unix.Errno    // what the application reads; 0: nothing
	After time.Duration // when it reads it, counted from Begin, at the earliest
	End   Ending

	Counted      Range // growth of TcpExtTCPKeepAlive
	Wire         Range // keepalive probes that leave
	Answers      Range // of these, after which the peer was heard before the next: by an ACK, or by data
	Probed       Range // probes that the peer sends, the one-byte ones included
	WindowProbes bool  // zero-window probes leave
	ResetsOut    Range // RST that the traced socket sends

	Verdict   events.Verdict   // in the end
	Said      []events.Verdict // verdicts on the way there, in this order
	Reason    events.Reason    // of a timer's giving up
	RST       events.RST       // who sent the RST, where one ended it
	By        events.By        // ByOther: who
	Unacked   Range            // ByOther: bytes that were not acknowledged in the end
	KeepCount bool             // the peer's data does not clear the kernel's count of unanswered probes
	ICMP      bool             // a router, or this host itself, answers each probe with ICMP host unreachable
	SendError []string         // a probe that does not leave has one of these
	Swallowed bool             // probes do not leave, and the kernel takes them for sent
	Resumes   bool             // data in flight is acknowledged, and keepalive is in charge again
	Timer     events.Reason    // firings that send nothing, of which there are some
	Writes    bool             // the application sends data, which a firing may find on its way
	State     conn.TCPState    // while probes are sent
	Dropped   []Dropped        // segments that this host drops while a probe is out
}

// Dropped is a kind of segment that this host drops, and why.
type Dropped struct {
	Direction events.Direction
	Reasons   []string // one of these
	// Here says that a kernel without reasons shows it, too, by the place.
	Here bool
	// Refused: the probe comes back to its sender. A backend that does not see
	// that does not know that one is out.
	Refused bool
}

// Range is a number between two bounds, both included.
type Range struct{ Min, Max int }

func exactly(n int) Range    { return Range{n, n} }
func between(a, b int) Range { return Range{a, b} }

// atLeast is for what goes on until the lab, which a busy machine makes wait, ends it.
func atLeast(n int) Range { return Range{n, math.MaxInt} }

func (r Range) holds(n int) bool { return n >= r.Min && n <= r.Max }

// String is "3", "at least 3" or "2 to 4".
func (r Range) String() string {
	switch {
	case r.Min == r.Max:
		return fmt.Sprint(r.Min)
	case r.Max == math.MaxInt:
		return fmt.Sprintf("at least %d", r.Min)
	}
	return fmt.Sprintf("%d to %d", r.Min, r.Max)
}

// ByName picks cases, in the order of the names. Without names it is all of them.
func ByName(names ...string) ([]Case, error) {
	all := Cases()
	if len(names) == 0 {
		return all, nil
	}
	var picked []Case
	for _, name := range names {
		c, ok := find(all, name)
		if !ok {
			return nil, fmt.Errorf("no case %q (one of: %s)", name, strings.Join(Names(), ", "))
		}
		picked = append(picked, c)
	}
	return picked, nil
}

// Names lists the cases' names.
func Names() []string {
	var names []string
	for _, c := range Cases() {
		names = append(names, c.Name)
	}
	return names
}

func find(all []Case, name string) (Case, bool) {
	for _, c := range all {
		if c.Name == name {
			return c, true
		}
	}
	return Case{}, false
}
