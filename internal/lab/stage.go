// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// stage is one case being played: its network, the two ends of its connection,
// and the three witnesses: the application's reader, the counters, the capture.
type stage struct {
	Case
	net      *network
	app      *socket // the traced one
	peer     *socket
	local    netip.AddrPort
	remote   netip.AddrPort
	inode    uint64
	reader   *reader
	counters *counters
	capture  *capture
	errors   *capture // of lo, where this host's own ICMP errors pass; or nil

	failed    error     // why it could not be begun
	begun     time.Time // when keepalive was switched on
	closing   time.Time // closeApp
	keepalive uint64    // the counter then
	silenced  bool      // the peer drops what comes, on this host
}

// newStage sets everything up but keepalive.
func newStage(c Case) (_ *stage, err error) {
	s := &stage{Case: c}
	defer func() {
		if err != nil {
			err = fmt.Errorf("stage %q: %w", c.Name, err)
			s.close()
		}
	}()
	if s.net, err = c.network(); err != nil {
		return nil, err
	}
	if s.counters, err = openCounters(s.net.near); err != nil {
		return nil, err
	}
	err = s.net.near.do(func() (err error) {
		if err := s.setSysctls(); err != nil {
			return err
		}
		if s.capture, err = openCapture(s.net.ifname); err == nil && s.net.ownErrors {
			s.errors, err = openCapture("lo")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	connect := (*stage).connect
	if c.connect != nil {
		connect = c.connect
	}
	if err := connect(s); err != nil {
		return nil, err
	}
	s.capture.follow(s.local, s.remote)
	if s.errors != nil {
		s.errors.follow(s.local, s.remote)
	}
	return s, s.setOptions()
}

// setSysctls gives the traced side's namespace values that are known: a new
// namespace may have copied them from the first one. Settings that the socket
// inherits are staged here; the others get the kernel's defaults, which differ
// from what the socket sets.
func (s *stage) setSysctls() error {
	inherits := func(one conn.Setting, value, otherwise int) int {
		if s.Setting.Inherited&one != 0 {
			return value
		}
		return otherwise
	}
	return errors.Join(
		sysctl("net.ipv4.tcp_keepalive_time", inherits(conn.SettingIdle, seconds(s.Setting.Idle), 7200)),
		sysctl("net.ipv4.tcp_keepalive_intvl", inherits(conn.SettingInterval, seconds(s.Setting.Interval), 75)),
		sysctl("net.ipv4.tcp_keepalive_probes", inherits(conn.SettingCount, s.Setting.Count, 9)),
		sysctl("net.ipv4.tcp_retries2", s.retries2),
		sysctl("net.ipv4.tcp_fin_timeout", max(s.finTimeout, 1)),
	)
}

// connect makes the connection. Both ends reset when they are closed, unless
// told otherwise: a socket that lives on without a file, to send its FIN, would
// keep the namespace alive after the process.
func (s *stage) connect() error {
	addr := s.net.farAddr
	var listener *socket
	err := s.net.far.do(func() (err error) {
		listener, s.remote, err = listenTCP(addr.Unmap(), s.proto, s.receiveBuffer)
		return err
	})
	if err != nil {
		return err
	}
	defer listener.close()
	err = s.net.near.do(func() (err error) {
		s.app, err = dialTCP(netip.AddrPortFrom(addr, s.remote.Port()), s.proto)
		return err
	})
	if err != nil {
		return err
	}
	if s.peer, err = listener.accept(); err != nil {
		return err
	}
	return errors.Join(s.identify(), s.app.setLinger(true), s.peer.setLinger(true))
}

// identify notes what the traced socket is called.
func (s *stage) identify() error {
	return s.app.control(func(fd int) (err error) {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return fmt.Errorf("stat the traced socket: %w", err)
		}
		s.inode = st.Ino
		s.local, err = localAddr(fd)
		return err
	})
}

// setOptions sets what the traced socket does not inherit.
func (s *stage) setOptions() error {
	var errs []error
	for _, o := range []struct {
		setting conn.Setting
		option  int
		value   int
	}{
		{conn.SettingIdle, unix.TCP_KEEPIDLE, seconds(s.Setting.Idle)},
		{conn.SettingInterval, unix.TCP_KEEPINTVL, seconds(s.Setting.Interval)},
		{conn.SettingCount, unix.TCP_KEEPCNT, s.Setting.Count},
	} {
		if s.Setting.Inherited&o.setting == 0 {
			errs = append(errs, s.app.set(unix.IPPROTO_TCP, o.option, o.value))
		}
	}
	if s.Setting.UserTimeout > 0 {
		errs = append(errs, s.app.set(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(s.Setting.UserTimeout.Milliseconds())))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("set the keepalive options: %w", err)
	}
	return nil
}

// begin lets the peer be heard once more, prepares the case and switches
// keepalive on: the idle time counts from here.
func (s *stage) begin() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("begin %q: %w", s.Name, err)
		}
	}()
	if s.peer != nil {
		if err := s.touch(); err != nil {
			return err
		}
	}
	if s.prepare != nil {
		if err := s.prepare(s); err != nil {
			return err
		}
	}
	if s.late > 0 { // not here, where the other cases wait for it
		return nil
	}
	return s.switchOn()
}

// switchOn switches keepalive on.
func (s *stage) switchOn() (err error) {
	if s.keepalive, err = s.counters.tcpExt(counterKeepalive); err != nil {
		return err
	}
	s.begun = time.Now()
	s.reader = startReader(s.app, s.unread)
	return s.app.set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
}

// play runs the case to its end and says what was seen. The connection is gone
// afterwards.
func (s *stage) play(ctx context.Context) (Outcome, error) {
	if s.failed != nil {
		return Outcome{}, s.failed
	}
	if s.late > 0 {
		if err := errors.Join(rest(ctx, s.late), s.switchOn()); err != nil {
			return Outcome{}, fmt.Errorf("play %q: %w", s.Name, err)
		}
	}
	if s.reader == nil || s.app == nil {
		return Outcome{}, fmt.Errorf("play %q: it is not begun, or over", s.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	err := s.run(ctx, s)
	ended := time.Now()
	// What the end set off, like a router's answer to the last RST, is still on its way.
	time.Sleep(settle)
	count, counted := s.counters.tcpExt(counterKeepalive)
	err = errors.Join(err, counted)
	errno, at := s.reader.stop()
	o := Outcome{
		Case:           s.Name,
		Conn:           s.conn(),
		Inode:          s.inode,
		PID:            os.Getpid(),
		Begun:          s.begun,
		Closing:        s.closing,
		Errno:          errno,
		KeepaliveCount: count - s.keepalive,
		Router:         s.net.gateway,
		Silenced:       s.silenced,
		Subflow:        s.proto == unix.IPPROTO_MPTCP,
	}
	switch {
	case errno != 0:
		o.EndedAfter = at.Sub(s.begun)
	case o.Subflow:
		o.EndedAfter = ended.Sub(s.begun)
	}
	err = errors.Join(err, s.hangUp())
	var stopped error
	o.Captured, stopped = s.capture.stop()
	err = errors.Join(err, stopped)
	if s.errors != nil {
		own, stopped := s.errors.stop()
		o.Router, o.Captured.ICMP, err = s.local.Addr(), own.ICMP, errors.Join(err, stopped)
	}
	if err != nil {
		return o, fmt.Errorf("play %q: %w", s.Name, err)
	}
	return o, nil
}

const (
	// caseLimit ends a case that does not end as it should; each takes less than
	// 9 s, where timers are not late.
	caseLimit = time.Minute
	settle    = 50 * time.Millisecond
)

// hangUp ends what is left of the connection without a word on the wire.
func (s *stage) hangUp() error {
	var errs []error
	for _, end := range []**socket{&s.app, &s.peer} {
		if *end != nil {
			errs = append(errs, s.vanish(*end))
			*end = nil
		}
	}
	return errors.Join(errs...)
}

// vanish closes an end without a word, or, where it cannot (MPTCP has no
// TCP_REPAIR), with RST: SO_LINGER is set.
func (s *stage) vanish(end *socket) error {
	if s.proto == unix.IPPROTO_MPTCP {
		return end.close()
	}
	return end.vanish()
}

// close frees everything, in whatever state the stage is.
func (s *stage) close() error {
	var errs []error
	if s.reader != nil {
		s.reader.stop()
	}
	errs = append(errs, s.hangUp())
	for _, c := range []*capture{s.capture, s.errors} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	if s.counters != nil {
		errs = append(errs, s.counters.close())
	}
	if s.net != nil {
		errs = append(errs, s.net.close())
	}
	return errors.Join(errs...)
}

func (s *stage) conn() conn.ID {
	return conn.ID{Netns: s.net.near.inum, Local: s.local, Remote: s.remote}
}

func seconds(d time.Duration) int { return int(d / time.Second) }
