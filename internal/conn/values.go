// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"strconv"
	"time"
)

// Field is a set of the settings that katrace set changes.
type Field uint8

// The settings.
const (
	FieldCount Field = 1 << iota
	FieldInterval
	FieldUserTimeout
	FieldOn
	FieldIdle
)

// valueFields are the settings with their keys, in the order in which people say them.
var valueFields = [...]struct {
	is   Field
	name string
	key  string // of Values
}{
	{FieldOn, "on", "on"},
	{FieldIdle, "idle", "idle_ms"},
	{FieldInterval, "intvl", "intvl_ms"},
	{FieldCount, "cnt", "cnt"},
	{FieldUserTimeout, "user_timeout", "user_timeout_ms"},
}

// AllFields are all of them.
const AllFields = FieldCount | FieldInterval | FieldUserTimeout | FieldOn | FieldIdle

// Names are the fields' names.
func (f Field) Names() (names []string) {
	for _, one := range valueFields {
		if f&one.is != 0 {
			names = append(names, one.name)
		}
	}
	return names
}

// Values are settings of a socket, whether its keepalive is on or not. Those that
// are not Known are zero.
type Values struct {
	Known       Field
	On          bool
	Idle        time.Duration // whole seconds
	Interval    time.Duration // whole seconds
	Count       int
	UserTimeout time.Duration // whole milliseconds; 0: none
}

// Number is a setting as setsockopt takes it.
func (v *Values) Number(f Field) int {
	switch f {
	case FieldOn:
		if v.On {
			return 1
		}
		return 0
	case FieldIdle:
		return int(v.Idle / time.Second)
	case FieldInterval:
		return int(v.Interval / time.Second)
	case FieldCount:
		return v.Count
	default:
		return int(v.UserTimeout / time.Millisecond)
	}
}

// Put makes a setting known, as getsockopt gives it.
func (v *Values) Put(f Field, n int) {
	v.Known |= f
	switch f {
	case FieldOn:
		v.On = n != 0
	case FieldIdle:
		v.Idle = time.Duration(n) * time.Second
	case FieldInterval:
		v.Interval = time.Duration(n) * time.Second
	case FieldCount:
		v.Count = n
	default:
		v.UserTimeout = time.Duration(uint32(n)) * time.Millisecond
	}
}

// With is v, but for what is known in other.
func (v Values) With(other *Values) Values {
	for _, o := range valueFields {
		if other.Known&o.is != 0 {
			v.Put(o.is, other.Number(o.is))
		}
	}
	return v
}

// Only is what v knows of these fields.
func (v *Values) Only(f Field) (some Values) {
	for _, o := range valueFields {
		if v.Known&f&o.is != 0 {
			some.Put(o.is, v.Number(o.is))
		}
	}
	return some
}

// Differs are the fields known in both that are not the same.
func (v *Values) Differs(from *Values) (f Field) {
	for _, o := range valueFields {
		if v.Known&from.Known&o.is != 0 && v.Number(o.is) != from.Number(o.is) {
			f |= o.is
		}
	}
	return f
}

// AppendText appends "off", "60s/10s/6", "off 60s/10s/6, user 30s"; "?" for what is not known.
func (v *Values) AppendText(dst []byte) []byte {
	switch {
	case v.Known == 0:
		return append(dst, '-')
	case v.Known&FieldOn == 0:
		dst = append(dst, "? "...)
	case !v.On:
		dst = append(dst, "off "...)
	}
	time := func(f Field, d time.Duration) {
		if v.Known&f == 0 {
			dst = append(dst, '?')
		} else {
			dst = AppendSetting(dst, d)
		}
	}
	time(FieldIdle, v.Idle)
	dst = append(dst, '/')
	time(FieldInterval, v.Interval)
	dst = append(dst, '/')
	if v.Known&FieldCount == 0 {
		dst = append(dst, '?')
	} else {
		dst = strconv.AppendInt(dst, int64(v.Count), 10)
	}
	if v.UserTimeout != 0 {
		dst = AppendSetting(append(dst, ", user "...), v.UserTimeout)
	}
	return dst
}

// AppendKeys appends the JSON object of what is known, with the keys of
// "keepalive" in katrace list.
func (v *Values) AppendKeys(dst []byte) []byte {
	sep := byte('{')
	for _, f := range valueFields {
		if v.Known&f.is == 0 {
			continue
		}
		dst = append(append(append(dst, sep, '"'), f.key...), '"', ':')
		sep = ','
		switch f.is {
		case FieldOn:
			dst = strconv.AppendBool(dst, v.On)
		case FieldIdle:
			dst = strconv.AppendInt(dst, v.Idle.Milliseconds(), 10)
		case FieldInterval:
			dst = strconv.AppendInt(dst, v.Interval.Milliseconds(), 10)
		default: // a number as it is
			dst = strconv.AppendInt(dst, int64(v.Number(f.is)), 10)
		}
	}
	if sep == '{' {
		dst = append(dst, sep)
	}
	return append(dst, '}')
}

// ValueKeys are Values as encoding/json reads them.
type ValueKeys struct {
	On          *bool   `json:"on"`
	Idle        *Millis `json:"idle_ms"`
	Interval    *Millis `json:"intvl_ms"`
	Count       *int32  `json:"cnt"`
	UserTimeout *Millis `json:"user_timeout_ms"`
}

// Values are those that are there.
func (k *ValueKeys) Values() (v Values) {
	if k == nil {
		return v
	}
	if k.On != nil {
		v.On, v.Known = *k.On, v.Known|FieldOn
	}
	for _, in := range [...]struct {
		is  Field
		in  *Millis
		out *time.Duration
	}{{FieldIdle, k.Idle, &v.Idle}, {FieldInterval, k.Interval, &v.Interval}, {FieldUserTimeout, k.UserTimeout, &v.UserTimeout}} {
		if in.in != nil {
			*in.out, v.Known = in.in.Span(), v.Known|in.is
		}
	}
	if k.Count != nil {
		v.Count, v.Known = int(*k.Count), v.Known|FieldCount
	}
	return v
}
