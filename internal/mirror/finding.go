// SPDX-License-Identifier: BSD-2-Clause

package mirror

import (
	"fmt"
	"time"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/internal/events"
	"katrace/internal/recording"
)

// Seen says what the other end saw of the probes of a silence.
type Seen uint8

// What it saw.
const (
	SeenAll        Seen = iota + 1 // they come: the answers get lost on the way back
	SeenSome                       // some come
	SeenNone                       // they get lost on the way there
	SeenDropped                    // they come, and that host drops them
	SeenEnded                      // that host had ended the connection before
	SeenUnrecorded                 // that host was not recorded then
	SeenUnknown                    // its recording cannot show probes that come
	SeenNoEnd                      // no recording has the other end
)

var seenNames = enum.Names[Seen]{What: "seen", Words: []string{"", "all", "some", "none", "dropped", "ended", "not_recorded", "not_known", "not_joined"}}

// String is its word in JSON.
func (s Seen) String() string { return seenNames.Name(s) }

// Finding is what the other end says about a silence.
type Finding struct {
	Seen    Seen
	Other   conn.ID   // the other end; its Host is there where a host is known
	Sent    int       // probes that are compared: sent while that host was recorded and had the connection
	Arrived int       // of them, those that came
	At      time.Time // on SeenEnded
	How     events.Kind
	Reason  string // on SeenDropped, SeenUnknown and SeenUnrecorded: why, in words
}

// Silence is what is known of the connection's silence that goes on, or was the
// latest; false: there was none.
func (j *Join) Silence(id conn.ID) (Finding, bool) {
	d := j.find(id)
	if d == nil || len(d.sends.at) == 0 {
		return Finding{}, false
	}
	return j.judge(d, d.sends.at), true
}

// judge compares what one end sent with what the other one saw.
func (j *Join) judge(d *end, sends []time.Time) Finding {
	o, f := j.other(d.id), Finding{Seen: SeenNoEnd}
	if o != nil {
		f.Other = o.id
	} else {
		host, found := j.hostOf(d.id)
		if !found {
			return f
		}
		f.Other, o = conn.ID{Host: host, Local: d.id.Remote, Remote: d.id.Local}, newEnd(conn.ID{})
	}
	var away recording.Why // of what was sent while nothing was recorded there
	ended, unrecorded := 0, 0
	for _, at := range sends {
		why, recorded, _ := j.cover.Recorded(f.Other.Host, at)
		switch {
		case o.seen.near(at, d.within()):
			f.Sent++
			f.Arrived++
		case !o.ended.IsZero() && at.After(o.ended):
			ended++
		case !recorded:
			unrecorded++
			away = why
		case !j.told(f.Other.Host, at.Add(d.within())): // it may yet come
		default:
			f.Sent++
		}
	}
	switch {
	case ended > 0:
		f.Seen, f.At, f.How = SeenEnded, o.ended, o.endKind
	case f.Sent == 0 && unrecorded > 0:
		f.Seen, f.Reason = SeenUnrecorded, whyWords[away]
	case f.Sent == 0:
		f.Seen, f.Reason = SeenUnknown, "it is too early to say"
	case f.Arrived == f.Sent:
		f.Seen = SeenAll
	case f.Arrived > 0:
		f.Seen = SeenSome
	case o.dropped.After(sends[0].Add(-d.within())):
		f.Seen, f.Reason = SeenDropped, o.reason
	default:
		if f.Reason = j.doubt(d, &f, sends[0], o.id == f.Other); f.Reason != "" {
			f.Seen = SeenUnknown
		} else {
			f.Seen = SeenNone
		}
	}
	return f
}

// doubt is why it proves nothing that the other host saw no probe come; "": it does.
// told says that it told of the connection at all.
func (j *Join) doubt(d *end, f *Finding, first time.Time, told bool) string {
	host := j.cover.Host(f.Other.Host)
	lost := j.lost[f.Other.Host]
	switch {
	case host == nil || !host.Marked:
		return "its recording does not say what it cannot hold"
	case host.Start.NotKnown&events.UnknownProbed != 0:
		return "its recording holds no probes of the peer (not_known)"
	case !told && host.Start.Filters != "":
		return "its filters may leave this connection out"
	case d.blind:
		return "it did not show a probe that was answered, either: records are missing, or the clocks differ"
	case !lost.IsZero() && lost.After(first.Add(-settle)):
		return "records were lost there"
	}
	return ""
}

var whyWords = [...]string{
	recording.WhyStalled: "katrace stood still there",
	recording.WhyAsleep:  "it was suspended",
	recording.WhyStopped: "katrace had been stopped there",
	recording.WhyCut:     "its recording is cut off",
	recording.WhyOutside: "its recording begins later or ends before",
}

// hostOf is the only other host that has the connection's remote address.
func (j *Join) hostOf(id conn.ID) (host string, found bool) {
	for h := range j.hosts[id.Remote.Addr()] {
		if h == id.Host {
			return "", false // on the same host: it would have been joined
		}
		if found {
			return "", false
		}
		host, found = h, true
	}
	return host, found
}

// Words says the finding in words, which are safe for a terminal.
func (f *Finding) Words() string {
	host := conn.Safe(f.Other.Host)
	if host == "" {
		host = "the other side"
	}
	switch f.Seen {
	case SeenAll:
		return fmt.Sprintf("the probes arrive there, the answers get lost on the way back: %s saw %d of %d come", host, f.Arrived, f.Sent)
	case SeenSome:
		return fmt.Sprintf("the path loses some: %s saw %d of %d probes come", host, f.Arrived, f.Sent)
	case SeenNone:
		return fmt.Sprintf("the probes do not arrive there: %s saw none of %d come", host, f.Sent)
	case SeenDropped:
		return fmt.Sprintf("the probes arrive there, and %s drops them: %s", host, conn.Safe(f.Reason))
	case SeenEnded:
		s := fmt.Sprintf("%s has ended the connection at %s (%s)", host, f.At.UTC().Format("15:04:05Z"), f.How)
		if f.Sent > 0 {
			s += fmt.Sprintf("; of %s before it saw %d come", conn.Count(f.Sent, "probe"), f.Arrived)
		}
		return s
	case SeenUnrecorded:
		return fmt.Sprintf("not known, %s recorded nothing then: %s", host, conn.Safe(f.Reason))
	case SeenUnknown:
		return fmt.Sprintf("not known by what %s recorded: %s", host, conn.Safe(f.Reason))
	case SeenNoEnd:
		return "not known, no recording has the other end: it is another host's, or an address is translated on the way (NAT)"
	}
	return ""
}
