// SPDX-License-Identifier: BSD-2-Clause

// Package change sets the keepalive settings of sockets that other processes
// hold, and reads back what the kernel then has: by a descriptor of our own for
// the same socket (pidfd_getfd) and setsockopt. It knows no BPF and no stream.
package change

import (
	"math"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// Field is conn.Field.
type Field = conn.Field

// Values is conn.Values.
type Values = conn.Values

// The settings.
const (
	Count       = conn.FieldCount
	Interval    = conn.FieldInterval
	UserTimeout = conn.FieldUserTimeout
	On          = conn.FieldOn
	Idle        = conn.FieldIdle
)

// options says how the kernel calls each, in the order in which they are set. The
// count and the times come before SO_KEEPALIVE, which arms the timer by them;
// TCP_KEEPIDLE comes last, because only it takes into account for how long the
// connection has been idle (tcp_sock_set_keepidle_locked; tcp_set_keepalive arms
// for all of it).
var options = [...]struct {
	is          Field
	option      string
	level, code int
	least, most int // that setsockopt takes (MAX_TCP_KEEPIDLE and so on in include/net/tcp.h)
}{
	{Count, "TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 1, 127},
	{Interval, "TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1, 32767},
	{UserTimeout, "TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 0, math.MaxInt32},
	{On, "SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0, 1},
	{Idle, "TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1, 32767},
}

// unsettable are the values that setsockopt does not take. A sysctl may be so:
// net.ipv4.tcp_keepalive_time has no bounds.
func unsettable(v *Values) (f Field) {
	for _, o := range options {
		if n := v.Number(o.is); v.Known&o.is != 0 && (n < o.least || n > o.most) {
			f |= o.is
		}
	}
	return f
}

// read asks the kernel. What it refuses is not known: an MPTCP socket has not all options.
func read(fd int) (v Values) {
	for _, o := range options {
		if n, err := unix.GetsockoptInt(fd, o.level, o.code); err == nil {
			v.Put(o.is, n)
		}
	}
	return v
}
