// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// Defaults reads the keepalive sysctls of the calling thread's network
// namespace: what a socket uses that has not set its own.
func Defaults() (events.Settings, error) {
	var s events.Settings
	var secs [3]int
	for i, name := range [...]string{"time", "intvl", "probes"} {
		path := "/proc/sys/net/ipv4/tcp_keepalive_" + name
		text, err := os.ReadFile(path)
		if err != nil {
			return s, err
		}
		if secs[i], err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
			return s, fmt.Errorf("read %s: %q is no number", path, text)
		}
	}
	return events.Settings{
		Idle: time.Duration(secs[0]) * time.Second, Interval: time.Duration(secs[1]) * time.Second, Count: secs[2],
		Inherited: AllSettings,
	}, nil
}

// ask reads a socket's settings through a descriptor of our own for it. The
// values are those in force. Whether the socket set one itself cannot be asked:
// one that differs from the sysctl it did, one that equals it may be either.
func (s *Socket) ask(fd int, sysctl events.Settings) error {
	var v [5]int
	for i, o := range [...]struct{ level, name int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
	} {
		var err error
		if v[i], err = unix.GetsockoptInt(fd, o.level, o.name); err != nil {
			return err
		}
	}
	s.On, s.derived = v[0] != 0, false
	s.Settings = events.Settings{
		Idle: time.Duration(v[1]) * time.Second, Interval: time.Duration(v[2]) * time.Second, Count: v[3],
		UserTimeout: time.Duration(uint32(v[4])) * time.Millisecond,
	}
	s.Has |= HasOn | HasSettings
	s.Own = 0
	if s.Settings.Idle != sysctl.Idle {
		s.Own |= events.SettingIdle
	}
	if s.Settings.Interval != sysctl.Interval {
		s.Own |= events.SettingInterval
	}
	if s.Settings.Count != sysctl.Count {
		s.Own |= events.SettingCount
	}
	return nil
}

// borrow gets a descriptor of our own for descriptor fd of the process, and
// makes sure that it is the socket with that inode. The other process does not
// notice. It needs PTRACE_MODE_ATTACH of the process (CAP_SYS_PTRACE).
func borrow(pidfd, fd int, inode uint64) (int, error) {
	own, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_getfd: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(own, &st); err != nil || st.Ino != inode {
		_ = unix.Close(own)
		return -1, fmt.Errorf("descriptor %d is another one by now: %w", fd, os.ErrNotExist)
	}
	return own, nil
}
