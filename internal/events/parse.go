// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/segmentio/encoding/json" // three times as fast as encoding/json: a replay has to keep up

	"katrace/internal/conn"
	"katrace/internal/enum"
)

// line is one line of the JSON stream as encoding/json reads it. Keys that are
// absent stay nil; keys that are not known are passed over, for new ones may come.
type line struct {
	V     *int       `json:"v"`
	Time  *time.Time `json:"time"`
	Event string     `json:"event"`

	conn.Keys

	Seq       *uint32 `json:"seq"`
	SendError string  `json:"send_error"`

	RTT      *int64 `json:"rtt_us"`
	RTTExact bool   `json:"rtt_exact"`

	AfterProbes uint32       `json:"after_probes"`
	SilentFor   *conn.Millis `json:"silent_for_ms"`
	Change      string       `json:"change"`

	By     string `json:"by"`
	Reason string `json:"reason"`
	Errno  string `json:"errno"`
	RST    string `json:"rst"`
	ICMP   *struct {
		Type uint8       `json:"type"`
		Code uint8       `json:"code"`
		Text string      `json:"text"`
		From *netip.Addr `json:"from"`
	} `json:"icmp"`
	Drop *struct {
		Direction string `json:"direction"`
		Reason    string `json:"reason"`
		Text      string `json:"text"`
		Where     string `json:"where"`
	} `json:"drop"`
	Retransmits *uint8  `json:"retransmits"`
	Unacked     *uint32 `json:"unacked_bytes"`
	Verdict     string  `json:"verdict"`

	Set *setKeys `json:"set"`

	Lost lostKeys `json:"lost"`

	tracingKeys
	Suppressed *suppressedKeys `json:"suppressed"`
}

// ParseJSON reads one line of the JSON stream, as AppendJSON writes it. An
// error means that it is not such a line: damaged, or of another version. An
// *enum.UnknownError is of a line that a later version may have written, with a word
// that there is not: the event lacks it. Where that is its kind it has none, and
// nothing else.
func ParseJSON(data []byte) (Event, error) {
	var l line
	if err := json.Unmarshal(data, &l); err != nil {
		return Event{}, errors.New(conn.Safe(err.Error())) // it quotes the input
	}
	if err := l.check(); err != nil {
		return Event{}, err
	}
	e := Event{Time: l.Time.UTC(), SendError: l.SendError, Errno: l.Errno}
	if err := conn.ParseWord(l.Event, &e.Kind, ParseKind); err != nil {
		return Event{}, err
	}
	unknown := cmp.Or(conn.ParseWord(l.Reason, &e.Reason, ParseReason),
		conn.ParseWord(l.RST, &e.RST, ParseRST), conn.ParseWord(l.direction(), &e.Drop.Direction, ParseDirection),
		conn.ParseWord(l.By, &e.By, ParseBy), conn.ParseWord(l.Verdict, &e.Verdict, ParseVerdict), conn.ParseWord(l.Change, &e.Change, ParseChange))
	if err := l.Read(&e.State, &e.Timer); err != nil {
		if !errors.As(err, new(*enum.UnknownError)) {
			return Event{}, err
		}
		unknown = cmp.Or(unknown, err)
	}
	if e.Kind.OfTracing() { // has nothing else
		about := Event{Time: e.Time, Kind: e.Kind}
		about.Host = e.Host
		switch e.Kind {
		case KindLost:
			about.Lost, about.LeftOut, unknown = l.Lost.read()
		case KindSuppressed:
			about.Suppressed = l.Suppressed.read()
		default:
			about.Tracing, unknown = l.tracing(e.Kind)
		}
		return about, unknown
	}
	l.fill(&e)
	return e, unknown
}

// check refuses what no event can hold, or what would not be the same line if
// it were written again.
func (l *line) check() error {
	switch {
	case l.V == nil || *l.V != SchemaVersion:
		return fmt.Errorf("not a line of a katrace stream: want \"v\":%d", SchemaVersion)
	case l.Time == nil:
		return errors.New("no time")
	case l.Event == "":
		return errors.New("no event")
	case l.Time.UTC().Year() < 1 || l.Time.UTC().Year() > 9999:
		return fmt.Errorf("time: the year %d", l.Time.UTC().Year())
	case l.RTT != nil && (*l.RTT < 0 || *l.RTT > math.MaxInt64/1000):
		return fmt.Errorf("rtt_us: %d", *l.RTT)
	}
	if l.ICMP != nil && l.ICMP.From != nil && l.ICMP.From.Zone() != "" {
		return fmt.Errorf("icmp: %q is no address", l.ICMP.From)
	}
	return nil
}

// direction is that of the dropped segment.
func (l *line) direction() string {
	if l.Drop == nil || l.Event != KindDropped.String() {
		return ""
	}
	return l.Drop.Direction
}

// fill sets the facts that are there, beside those of the connection.
func (l *line) fill(e *Event) {
	if l.Seq != nil {
		e.Seq, e.Has = *l.Seq, e.Has|HasSeq
	}
	if l.SilentFor != nil && l.AfterProbes > 0 {
		e.AfterProbes, e.SilentFor = int(l.AfterProbes), l.SilentFor.Span()
	}
	if l.RTT != nil {
		e.RTT, e.RTTExact, e.Has = time.Duration(*l.RTT)*time.Microsecond, l.RTTExact, e.Has|HasRTT
	}
	if e.Drop.Direction != 0 {
		e.Drop.Reason, e.Drop.Text, e.Drop.Where = l.Drop.Reason, l.Drop.Text, l.Drop.Where
	}
	if l.Retransmits != nil && l.Unacked != nil {
		e.Retransmits, e.Unacked, e.Has = int(*l.Retransmits), *l.Unacked, e.Has|conn.HasUnacked
	}
	if e.Kind == KindSet {
		e.Set = l.Set.read()
	}
	if l.ICMP != nil && e.Kind == KindICMP {
		e.ICMP = ICMP{Type: l.ICMP.Type, Code: l.ICMP.Code, Text: l.ICMP.Text}
		if l.ICMP.From != nil {
			e.ICMP.From = *l.ICMP.From
		}
	}
}
