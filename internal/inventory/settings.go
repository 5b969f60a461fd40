// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// Defaults reads the keepalive sysctls of the calling thread's network
// namespace: what a socket uses that has not set its own.
func Defaults() (conn.Settings, error) {
	var texts [3]string
	for i, name := range sysctls {
		text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
		if err != nil {
			return conn.Settings{}, err
		}
		texts[i] = string(text)
	}
	hz, err := jiffies.Read()
	if err != nil {
		return conn.Settings{}, err
	}
	return ParseDefaults(texts, hz)
}

// sysctls are those of idle, interval and count, in this order.
var sysctls = [3]string{"net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"}

// ParseDefaults reads what /proc/sys shows of the sysctls of idle, interval (in
// seconds) and count.
func ParseDefaults(texts [3]string, hz jiffies.HZ) (conn.Settings, error) {
	var n [3]int64
	for i, name := range sysctls {
		var err error
		if n[i], err = strconv.ParseInt(strings.TrimSpace(texts[i]), 10, 32); err != nil || i == 2 && n[i] < 0 {
			return conn.Settings{}, fmt.Errorf("%s: %q is no such number", name, texts[i])
		}
	}
	return conn.Settings{Idle: seconds(n[0], hz), Interval: seconds(n[1], hz), Count: int(n[2]), Inherited: conn.AllSettings}, nil
}

// seconds is how long the kernel waits where it shows n seconds. It takes
// negative sysctls (proc_dointvec_jiffies), and counts their jiffies without a
// sign: -1 is months.
func seconds(n int64, hz jiffies.HZ) time.Duration {
	if n < 0 {
		return hz.Span(uint32(n * int64(hz)))
	}
	return time.Duration(n) * time.Second
}

// ask reads a socket's settings through a descriptor of our own for it. The
// values are those in force. Whether the socket set one itself cannot be asked:
// one that differs from the sysctl it did, one that equals it may be either.
func (s *Socket) ask(fd int, sysctl conn.Settings) error {
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
	hz, err := jiffies.Read()
	if err != nil {
		return err
	}
	s.On, s.derived = v[0] != 0, false
	s.Keepalive = conn.Settings{
		Idle: seconds(int64(v[1]), hz), Interval: seconds(int64(v[2]), hz), Count: v[3],
		UserTimeout: time.Duration(uint32(v[4])) * time.Millisecond,
	}
	s.Has |= HasOn | conn.HasKeepalive
	s.Keepalive.Unsure = conn.AllSettings
	if s.Keepalive.Idle != sysctl.Idle {
		s.Keepalive.Unsure &^= conn.SettingIdle
	}
	if s.Keepalive.Interval != sysctl.Interval {
		s.Keepalive.Unsure &^= conn.SettingInterval
	}
	if s.Keepalive.Count != sysctl.Count {
		s.Keepalive.Unsure &^= conn.SettingCount
	}
	return nil
}
