// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// Lab is a set of cases, staged and ready to be played.
type Lab struct {
	stages []*stage
	closed sync.Once
}

// Conn is the traced connection of a case.
type Conn struct {
	Case string
	conn.ID
	Inode  uint64 // the traced socket's
	Family conn.Family
}

// Outcome is what became of a case, by the three witnesses: the application,
// the kernel's counters and the capture.
type Outcome struct {
	Case           string
	Conn           conn.ID
	Inode          uint64
	PID            int           // the traced socket's owner
	Begun          time.Time     // when keepalive was switched on
	Errno          unix.Errno    // what the application read; 0: nothing
	Subflow        bool          // of MPTCP: the application is not told of its end
	EndedAfter     time.Duration // when it read that, or the lab saw the end of a subflow, since Begun
	Closing        time.Time     // when the lab closed the traced socket; zero: it did not
	KeepaliveCount uint64        // growth of TcpExtTCPKeepAlive in the namespace since Begun
	Silenced       bool          // the peer dropped what came, on the traced socket's own host
	Router         netip.Addr    // between the two hosts, or who else sends ICMP errors; invalid: nobody
	Captured       Capture
	Failed         error // why it was not played to its end; nil: it was
}

// Died is when the connection ended: by the RST on the wire, to which the kernel
// gave its time; where there was none, when the application got to read its
// errno, which may be later on a busy machine. Zero: only the lab ended it.
func (o Outcome) Died() time.Time {
	switch {
	case o.Errno == 0 && !o.Subflow:
		return time.Time{}
	case !o.Captured.Reset.IsZero():
		return o.Captured.Reset
	}
	return o.Begun.Add(o.EndedAfter)
}

// finInFlight says that a firing found this side's FIN on its way: where it comes
// while the socket is being closed, the kernel may run the timer before it takes
// what loopback brings (TIMER_SOFTIRQ comes before NET_RX_SOFTIRQ). Its state says
// so for however long that takes.
func (o Outcome) finInFlight(e *events.Event) bool {
	if e.Kind != events.KindTimer || e.Reason != events.ReasonDataInFlight || o.Closing.IsZero() {
		return false
	}
	sent := e.TCPState == conn.TCPFinWait1 || e.TCPState == conn.TCPLastAck || e.TCPState == conn.TCPClosing
	return e.Time.After(o.Closing.Add(-20*time.Millisecond)) && (sent || e.Time.Before(o.Closing.Add(250*time.Millisecond)))
}

// Start sets the cases up: namespaces, connections, captures. Keepalive is
// still off. Where one case cannot be set up none is, and the error names it.
func Start(ctx context.Context, cases []Case) (*Lab, error) {
	l := &Lab{stages: make([]*stage, len(cases))}
	err := each(len(cases), func(i int) (err error) {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.stages[i], err = newStage(cases[i])
		return err
	})
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// ErrLacking is among the errors of a case for which this kernel lacks something
// that kernels may well lack.
var ErrLacking = errors.New("not in this kernel")

// Possible says why a case cannot be staged here, for want of a privilege or of
// something in the kernel: veth, IPv6.
func (c Case) Possible() error {
	if c.Family != conn.IPv4 {
		if err := hasIPv6(); err != nil {
			return fmt.Errorf("stage %q: %w", c.Name, err)
		}
	}
	if c.needs != nil {
		if err := c.needs(); err != nil {
			return fmt.Errorf("stage %q: %w", c.Name, err)
		}
	}
	n, err := c.network()
	if err != nil {
		return fmt.Errorf("stage %q: %w", c.Name, err)
	}
	defer n.close()
	err = n.far.do(func() error {
		s, _, err := listenTCP(n.farAddr.Unmap(), c.proto, 0)
		if err != nil {
			return err
		}
		return s.close()
	})
	if err != nil {
		return fmt.Errorf("stage %q: %w", c.Name, err)
	}
	return nil
}

// hasIPv6 says why there are no IPv6 sockets (ipv6.disable=1, or a kernel
// without).
func hasIPv6() error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("no IPv6 (%w): %w", err, ErrLacking)
	}
	return unix.Close(fd)
}

// Conns lists the traced connections, in the order of the cases.
func (l *Lab) Conns() []Conn {
	var conns []Conn
	for _, s := range l.stages {
		conns = append(conns, Conn{Case: s.Name, ID: s.conn(), Inode: s.inode, Family: s.Family})
	}
	return conns
}

// Begin switches keepalive on, in all cases at once. A tracer is to be attached
// before. Wait has to follow soon: what happens to a peer later on happens there. It
// says what could not be begun.
func (l *Lab) Begin() {
	_ = each(len(l.stages), func(i int) error {
		l.stages[i].failed = l.stages[i].begin()
		return nil
	})
}

// Wait plays all cases at once to their ends, which takes less than 9 seconds,
// and returns the outcomes in the order of the cases. The connections are gone
// then. When ctx ends first, or a case fails, the error says so, and the
// outcomes are what was seen so far.
func (l *Lab) Wait(ctx context.Context) ([]Outcome, error) {
	outcomes := make([]Outcome, len(l.stages))
	err := each(len(l.stages), func(i int) (err error) {
		outcomes[i], err = l.stages[i].play(ctx)
		outcomes[i].Case, outcomes[i].Failed = l.stages[i].Name, err
		return err
	})
	return outcomes, err
}

// Close frees everything. It may be called at any time but during Begin and
// Wait, and again.
func (l *Lab) Close() (err error) {
	l.closed.Do(func() {
		err = each(len(l.stages), func(i int) error {
			if l.stages[i] == nil {
				return nil
			}
			return l.stages[i].close()
		})
	})
	return err
}

// each runs f for 0 to n-1 at once and joins the errors in that order.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
