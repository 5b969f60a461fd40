// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"strconv"
	"strings"
	"time"
)

// ShortID is how much of a container's id its runtime's own commands show.
const ShortID = 12

// AppendShortID appends the beginning of a container's id, or a name that stands
// in its place, whole.
func AppendShortID(dst []byte, id string) []byte {
	if len(id) > ShortID && strings.Trim(id, "0123456789abcdef-") == "" {
		id = id[:ShortID]
	}
	return AppendSafe(dst, id)
}

// AppendContainer appends what people call the container that an owner is in: its
// pod, "shop/cart-7d9f8b6c5-x2x4k", or else its name, or else the beginning of its
// id. Nothing where there is none.
func (o *Owner) AppendContainer(dst []byte) []byte {
	switch {
	case o.PodName != "":
		return AppendSafe(append(AppendSafe(dst, o.PodNamespace), '/'), o.PodName)
	case o.ContainerName != "":
		return AppendSafe(dst, o.ContainerName)
	}
	return AppendShortID(dst, o.Container)
}

// AppendOwner appends who holds the socket: "postgres[812]", with a word where
// that is not a descriptor of the process, "uid 105" where the process is not
// known, "-" where nothing is.
func (s *State) AppendOwner(dst []byte) []byte {
	switch {
	case s.HeldBy == HeldByKernel && s.Module != "":
		return append(AppendSafe(append(dst, "kernel ("...), s.Module), ')')
	case s.HeldBy == HeldByKernel:
		return append(dst, "kernel"...)
	case s.Process.PID != 0:
		dst = AppendSafe(dst, s.Process.Comm)
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(s.Process.PID), 10)
		return append(append(dst, ']'), s.HeldBy.Words()...)
	case s.HeldBy == HeldByAcceptQueue:
		return append(dst, "not accepted yet"...)
	case s.Has&HasUID != 0:
		return strconv.AppendUint(append(dst, "uid "...), uint64(s.UID), 10)
	}
	return append(dst, '-')
}

var heldByWords = [...]string{
	HeldByAcceptQueue: " (not accepted yet)",
	HeldByThread:      " (thread)",
	HeldByIOUring:     " (io_uring)",
	HeldByKernel:      "",
}

// Words says after a process's name how it holds the socket: " (thread)"; "" for
// a descriptor of its own.
func (h HeldBy) Words() string { return heldByWords[min(int(h), len(heldByWords)-1)] }

// Count is AppendCount for strings.
func Count(n int, noun string) string { return string(AppendCount(nil, uint64(n), noun)) }

// AppendCount appends a number with its noun: "1 probe", "3 probes".
func AppendCount(dst []byte, n uint64, noun string) []byte {
	dst = append(append(strconv.AppendUint(dst, n, 10), ' '), noun...)
	if n != 1 {
		dst = append(dst, 's')
	}
	return dst
}

// Thousands writes a number with separators: "1,234,567".
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// AppendSetting appends a setting exactly, to a millisecond: 30ms, 33.5s, 75s,
// 350s, 10m, 2h11m15s. Below ten minutes it is seconds, as people set it.
func AppendSetting(dst []byte, d time.Duration) []byte {
	if d < 0 {
		dst, d = append(dst, '-'), d.Abs()
	}
	ms := d.Milliseconds()
	switch {
	case ms == 0:
		return append(dst, "0s"...)
	case ms < 1000:
		return append(strconv.AppendInt(dst, ms, 10), "ms"...)
	}
	for _, unit := range [...]struct {
		ms, from int64 // its length, and from which time on it is used
		name     byte
	}{{24 * 3600_000, 48 * 3600_000, 'd'}, {3600_000, 3600_000, 'h'}, {60_000, 600_000, 'm'}} {
		if n := ms / unit.ms; d.Milliseconds() >= unit.from && n > 0 {
			dst = append(strconv.AppendInt(dst, n, 10), unit.name)
			ms %= unit.ms
		}
	}
	if ms == 0 {
		return dst
	}
	return append(strconv.AppendFloat(dst, float64(ms)/1000, 'f', -1, 64), 's')
}

// AppendTo appends idle/interval/count, "2h/75s/9".
func (s *Settings) AppendTo(dst []byte) []byte {
	dst = append(AppendSetting(dst, s.Idle), '/')
	dst = append(AppendSetting(dst, s.Interval), '/')
	return strconv.AppendInt(dst, int64(s.Count), 10)
}

// Span is AppendSpan for strings.
func Span(d time.Duration) string { return string(AppendSpan(nil, d)) }

// AppendSpan appends a duration in at most two units, as a person would say
// it: 84us, 3.1ms, 12ms, 4.1s, 70s, 2m5s, 2h11m, 3d4h.
func AppendSpan(dst []byte, d time.Duration) []byte {
	two := func(a int64, ua byte, b int64, ub byte) []byte {
		dst = append(strconv.AppendInt(dst, a, 10), ua)
		if b != 0 {
			dst = append(strconv.AppendInt(dst, b, 10), ub)
		}
		return dst
	}
	tenths := func(unit time.Duration, name string) []byte {
		n := int64(d.Round(unit/10) / (unit / 10))
		dst = strconv.AppendInt(dst, n/10, 10)
		if n%10 != 0 {
			dst = strconv.AppendInt(append(dst, '.'), n%10, 10)
		}
		return append(dst, name...)
	}
	if d < 0 {
		dst, d = append(dst, '-'), d.Abs()
	}
	switch s := int64(d.Round(time.Second) / time.Second); {
	case d < time.Microsecond:
		return append(dst, "0s"...)
	case d < time.Millisecond:
		return append(strconv.AppendInt(dst, d.Microseconds(), 10), "us"...)
	case d < 9950*time.Microsecond:
		return tenths(time.Millisecond, "ms")
	case d < 950*time.Millisecond:
		return append(strconv.AppendInt(dst, int64(d.Round(time.Millisecond)/time.Millisecond), 10), "ms"...)
	case d < 9950*time.Millisecond:
		return tenths(time.Second, "s")
	case s < 120:
		return append(strconv.AppendInt(dst, s, 10), 's')
	case s < 3600:
		return two(s/60, 'm', s%60, 's')
	case s < 48*3600:
		return two(s/3600, 'h', s%3600/60, 'm')
	case s < 100*86400:
		return two(s/86400, 'd', s%86400/3600, 'h')
	default:
		return append(strconv.AppendInt(dst, s/86400, 10), 'd')
	}
}

// Exact is AppendSetting for strings.
func Exact(d time.Duration) string { return string(AppendSetting(nil, d)) }
