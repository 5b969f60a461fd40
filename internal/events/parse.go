// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/segmentio/encoding/json" // three times as fast as encoding/json: a replay has to keep up
)

// line is one line of the JSON stream as encoding/json reads it. Keys that are
// absent stay nil; keys that are not known are passed over, for new ones may come.
type line struct {
	V      *int       `json:"v"`
	Time   *time.Time `json:"time"`
	Event  string     `json:"event"`
	Netns  uint32     `json:"netns"`
	Inode  uint64     `json:"inode"`
	Family string     `json:"family"`
	State  string     `json:"state"`
	Local  *addrPort  `json:"local"`
	Remote *addrPort  `json:"remote"`

	Process *struct {
		PID  int    `json:"pid"`
		Comm string `json:"comm"`
	} `json:"process"`
	HeldBy    string  `json:"held_by"`
	Module    string  `json:"module"`
	UID       *uint32 `json:"uid"`
	Cgroup    string  `json:"cgroup"`
	Container string  `json:"container"`
	Pod       string  `json:"pod"`

	Keepalive *struct {
		Idle        millis   `json:"idle_ms"`
		Interval    millis   `json:"intvl_ms"`
		Count       uint8    `json:"cnt"`
		UserTimeout millis   `json:"user_timeout_ms"`
		Inherited   []string `json:"inherited"`
	} `json:"keepalive"`
	Unanswered *uint32 `json:"unanswered"`
	Seq        *uint32 `json:"seq"`
	IdleFor    *millis `json:"idle_for_ms"`
	Next       *millis `json:"next_ms"`
	DiesIn     *millis `json:"dies_in_ms"`
	SendError  string  `json:"send_error"`

	RTT      *int64 `json:"rtt_us"`
	RTTExact bool   `json:"rtt_exact"`
	WaitsFor string `json:"waits_for"`
	By       string `json:"by"`
	Reason   string `json:"reason"`
	Errno    string `json:"errno"`
	RST      string `json:"rst"`
	ICMP     *struct {
		Type uint8       `json:"type"`
		Code uint8       `json:"code"`
		Text string      `json:"text"`
		From *netip.Addr `json:"from"`
	} `json:"icmp"`
	Retransmits *uint8  `json:"retransmits"`
	Unacked     *uint32 `json:"unacked_bytes"`
	Verdict     string  `json:"verdict"`

	Lost *struct {
		Ring   uint64 `json:"ring"`
		Missed uint64 `json:"missed"`
		Follow uint64 `json:"follow"`
		Memory uint64 `json:"memory"`
		Tuple  uint64 `json:"tuple"`

		Skipped map[string]uint64 `json:"skipped"`
		LeftOut uint64            `json:"left_out"`
	} `json:"lost"`
}

type addrPort struct {
	Addr netip.Addr `json:"addr"`
	Port uint16     `json:"port"`
}

// millis is a time in whole milliseconds.
type millis int64

func (m millis) span() time.Duration { return time.Duration(m) * time.Millisecond }

// UnmarshalJSON refuses what a time.Duration does not hold.
func (m *millis) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n != int64(millis(n).span()/time.Millisecond) {
		return fmt.Errorf("%q: want a time in milliseconds", data)
	}
	*m = millis(n)
	return nil
}

// ParseJSON reads one line of the JSON stream, as AppendJSON writes it. An
// error means that it is not such a line: damaged, or of another version.
func ParseJSON(data []byte) (Event, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return Event{}, errors.New(Safe(err.Error())) // it quotes the input
	}
	if err := l.check(); err != nil {
		return Event{}, err
	}
	e := Event{
		Time: l.Time.UTC(), Netns: l.Netns, Inode: l.Inode,
		Module: l.Module, Cgroup: l.Cgroup, Container: l.Container, Pod: l.Pod, SendError: l.SendError, Errno: l.Errno,
	}
	var err error
	if e.Kind, err = ParseKind(l.Event); err != nil {
		return Event{}, err
	}
	for _, w := range []struct {
		word  string
		parse func() error
	}{
		{l.Family, func() (err error) { e.Family, err = ParseFamily(l.Family); return }},
		{l.State, func() (err error) { e.State, err = ParseState(l.State); return }},
		{l.Reason, func() (err error) { e.Reason, err = ParseReason(l.Reason); return }},
		{l.WaitsFor, func() (err error) { e.WaitsFor, err = ParseWaits(l.WaitsFor); return }},
		{l.By, func() (err error) { e.By, err = ParseBy(l.By); return }},
		{l.RST, func() (err error) { e.RST, err = ParseRST(l.RST); return }},
		{l.HeldBy, func() (err error) { e.HeldBy, err = ParseHeldBy(l.HeldBy); return }},
		{l.Verdict, func() (err error) { e.Verdict, err = ParseVerdict(l.Verdict); return }},
	} {
		if w.word == "" {
			continue
		}
		if err := w.parse(); err != nil {
			return Event{}, err
		}
	}
	if e.Kind == KindLost { // has nothing else
		e = Event{Time: e.Time, Kind: KindLost}
		if l.Lost != nil {
			e.Lost = Lost{Ring: l.Lost.Ring, Missed: l.Lost.Missed, Follow: l.Lost.Follow, Memory: l.Lost.Memory, Tuple: l.Lost.Tuple}
			e.LeftOut = l.Lost.LeftOut
			for kind, n := range skipped(&e.Lost.Skipped) {
				*n = l.Lost.Skipped[kind.String()]
			}
		}
		return e, nil
	}
	l.fill(&e)
	return e, nil
}

// check refuses what no event can hold, or what would not be the same line if
// it were written again.
func (l *line) check() error {
	switch {
	case l.V == nil || *l.V != SchemaVersion:
		return fmt.Errorf("not a line of a katrace stream: want \"v\":%d", SchemaVersion)
	case l.Time == nil:
		return errors.New("no time")
	case l.Time.UTC().Year() < 1 || l.Time.UTC().Year() > 9999:
		return fmt.Errorf("time: the year %d", l.Time.UTC().Year())
	case l.Process != nil && l.Process.PID < 1:
		return fmt.Errorf("process: pid %d", l.Process.PID)
	case l.RTT != nil && (*l.RTT < 0 || *l.RTT > math.MaxInt64/1000):
		return fmt.Errorf("rtt_us: %d", *l.RTT)
	}
	for _, a := range []*addrPort{l.Local, l.Remote} {
		if a != nil && (!a.Addr.IsValid() || a.Addr.Zone() != "") {
			return fmt.Errorf("local, remote: %q is no address", a.Addr)
		}
	}
	if l.ICMP != nil && l.ICMP.From != nil && l.ICMP.From.Zone() != "" {
		return fmt.Errorf("icmp: %q is no address", l.ICMP.From)
	}
	return nil
}

// fill sets the facts that are there.
func (l *line) fill(e *Event) {
	if l.Local != nil {
		e.Local = netip.AddrPortFrom(l.Local.Addr, l.Local.Port)
	}
	if l.Remote != nil {
		e.Remote = netip.AddrPortFrom(l.Remote.Addr, l.Remote.Port)
	}
	if l.Process != nil {
		e.Process = Process{l.Process.PID, l.Process.Comm}
	}
	if l.UID != nil {
		e.UID, e.Has = *l.UID, e.Has|HasUID
	}
	if k := l.Keepalive; k != nil {
		e.Keepalive = Settings{Idle: k.Idle.span(), Interval: k.Interval.span(), Count: int(k.Count), UserTimeout: k.UserTimeout.span()}
		for _, name := range k.Inherited {
			for set := SettingIdle; set <= SettingCount; set <<= 1 {
				if set.Name() == name {
					e.Keepalive.Inherited |= set
				}
			}
		}
		e.Has |= HasKeepalive
	}
	if l.Unanswered != nil {
		e.Unanswered, e.Has = int(*l.Unanswered), e.Has|HasUnanswered
	}
	if l.Seq != nil {
		e.Seq, e.Has = *l.Seq, e.Has|HasSeq
	}
	for _, t := range []struct {
		in   *millis
		out  *time.Duration
		fact Fact
	}{{l.IdleFor, &e.IdleFor, HasIdleFor}, {l.Next, &e.Next, HasNext}, {l.DiesIn, &e.DiesIn, HasDiesIn}} {
		if t.in != nil {
			*t.out, e.Has = t.in.span(), e.Has|t.fact
		}
	}
	if l.RTT != nil {
		e.RTT, e.RTTExact, e.Has = time.Duration(*l.RTT)*time.Microsecond, l.RTTExact, e.Has|HasRTT
	}
	if l.Retransmits != nil && l.Unacked != nil {
		e.Retransmits, e.Unacked, e.Has = int(*l.Retransmits), *l.Unacked, e.Has|HasUnacked
	}
	if l.ICMP != nil && e.Kind == KindICMP {
		e.ICMP = ICMP{Type: l.ICMP.Type, Code: l.ICMP.Code, Text: l.ICMP.Text}
		if l.ICMP.From != nil {
			e.ICMP.From = *l.ICMP.From
		}
	}
}
