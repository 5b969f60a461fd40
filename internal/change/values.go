// SPDX-License-Identifier: BSD-2-Clause

// Package change sets the keepalive settings of sockets that other processes
// hold, and reads back what the kernel then has: by a descriptor of our own for
// the same socket (pidfd_getfd) and setsockopt. It knows no BPF and no stream.
package change

import (
	"math"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// Field is a set of settings.
type Field uint8

// The settings, in the order in which they are set. The count and the times come
// before SO_KEEPALIVE, which arms the timer by them; TCP_KEEPIDLE comes last,
// because only it takes into account for how long the connection has been idle
// (tcp_sock_set_keepidle_locked; tcp_set_keepalive arms for all of it).
const (
	Count Field = 1 << iota
	Interval
	UserTimeout
	On
	Idle
)

// options says how the kernel calls each, in the order of Field's bits.
var options = [...]struct {
	is          Field
	name        string // as the flags and keys have it
	option      string
	level, code int
	least, most int // that setsockopt takes (MAX_TCP_KEEPIDLE and so on in include/net/tcp.h)
}{
	{Count, "cnt", "TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 1, 127},
	{Interval, "intvl", "TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1, 32767},
	{UserTimeout, "user_timeout", "TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 0, math.MaxInt32},
	{On, "on", "SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0, 1},
	{Idle, "idle", "TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1, 32767},
}

// unsettable are the values that setsockopt does not take. A sysctl may be so:
// net.ipv4.tcp_keepalive_time has no bounds.
func (v *Values) unsettable() (f Field) {
	for _, o := range options {
		if n := v.number(o.is); v.Known&o.is != 0 && (n < o.least || n > o.most) {
			f |= o.is
		}
	}
	return f
}

// names are the fields' names, in the order in which people say them.
func (f Field) names() (names []string) {
	for _, one := range [...]Field{On, Idle, Interval, Count, UserTimeout} {
		for _, o := range options {
			if o.is == one && f&one != 0 {
				names = append(names, o.name)
			}
		}
	}
	return names
}

// Values are settings of a socket. Those that are not Known are zero.
type Values struct {
	Known       Field
	On          bool
	Idle        time.Duration // whole seconds
	Interval    time.Duration // whole seconds
	Count       int
	UserTimeout time.Duration // whole milliseconds; 0: none
}

// number is a setting as setsockopt takes it.
func (v *Values) number(f Field) int {
	switch f {
	case On:
		if v.On {
			return 1
		}
		return 0
	case Idle:
		return int(v.Idle / time.Second)
	case Interval:
		return int(v.Interval / time.Second)
	case Count:
		return v.Count
	default:
		return int(v.UserTimeout / time.Millisecond)
	}
}

// set makes a setting known, as getsockopt gives it.
func (v *Values) set(f Field, n int) {
	v.Known |= f
	switch f {
	case On:
		v.On = n != 0
	case Idle:
		v.Idle = time.Duration(n) * time.Second
	case Interval:
		v.Interval = time.Duration(n) * time.Second
	case Count:
		v.Count = n
	default:
		v.UserTimeout = time.Duration(uint32(n)) * time.Millisecond
	}
}

// with is v, but for what is known in other.
func (v Values) with(other *Values) Values {
	for _, o := range options {
		if other.Known&o.is != 0 {
			v.set(o.is, other.number(o.is))
		}
	}
	return v
}

// only is what v knows of these fields.
func (v *Values) only(f Field) (some Values) {
	for _, o := range options {
		if v.Known&f&o.is != 0 {
			some.set(o.is, v.number(o.is))
		}
	}
	return some
}

// differs are the fields known in both that are not the same.
func (v *Values) differs(from *Values) (f Field) {
	for _, o := range options {
		if v.Known&from.Known&o.is != 0 && v.number(o.is) != from.number(o.is) {
			f |= o.is
		}
	}
	return f
}

// read asks the kernel. What it refuses is not known: an MPTCP socket has not all options.
func read(fd int) (v Values) {
	for _, o := range options {
		if n, err := unix.GetsockoptInt(fd, o.level, o.code); err == nil {
			v.set(o.is, n)
		}
	}
	return v
}

// AppendText appends "off", "60s/10s/6", "off 60s/10s/6, user 30s"; "?" for what is not known.
func (v *Values) AppendText(dst []byte) []byte {
	switch {
	case v.Known == 0:
		return append(dst, '-')
	case v.Known&On == 0:
		dst = append(dst, "? "...)
	case !v.On:
		dst = append(dst, "off "...)
	}
	time := func(f Field, d time.Duration) {
		if v.Known&f == 0 {
			dst = append(dst, '?')
		} else {
			dst = conn.AppendSetting(dst, d)
		}
	}
	time(Idle, v.Idle)
	dst = append(dst, '/')
	time(Interval, v.Interval)
	dst = append(dst, '/')
	if v.Known&Count == 0 {
		dst = append(dst, '?')
	} else {
		dst = strconv.AppendInt(dst, int64(v.Count), 10)
	}
	if v.UserTimeout != 0 {
		dst = conn.AppendSetting(append(dst, ", user "...), v.UserTimeout)
	}
	return dst
}

// appendKeys appends the JSON object of what is known, with the keys of
// "keepalive" in katrace list.
func (v *Values) appendKeys(dst []byte) []byte {
	from := len(dst)
	for _, f := range [...]struct {
		is  Field
		key string
		ms  time.Duration
	}{{Idle, "idle_ms", v.Idle}, {Interval, "intvl_ms", v.Interval}, {Count, "cnt", 0}, {UserTimeout, "user_timeout_ms", v.UserTimeout}} {
		switch {
		case v.Known&f.is == 0:
		case f.is == Count:
			dst = strconv.AppendInt(append(dst, `,"cnt":`...), int64(v.Count), 10)
		default:
			dst = conn.AppendMillis(dst, f.key, f.ms)
		}
	}
	if v.Known&On != 0 {
		dst = strconv.AppendBool(append(dst, `,"on":`...), v.On)
	}
	if len(dst) > from {
		dst[from] = '{'
	} else {
		dst = append(dst, '{')
	}
	return append(dst, '}')
}
