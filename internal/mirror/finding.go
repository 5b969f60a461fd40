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
	// Closed, on SeenNone: that host may have closed the connection, which its
	// recording does not hold.
	Closed bool
	Reason string // on SeenDropped, SeenUnknown and SeenUnrecorded: why, in words
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
func (j *Join) judge(d *end, sends []int64) Finding {
	o := j.other(d.id)
	if o == nil {
		return Finding{Seen: SeenNoEnd}
	}
	f := Finding{Other: o.id}
	var away recording.Why // of what was sent while nothing was recorded there
	ended, unrecorded := 0, 0
	for _, sent := range sends {
		at := time.Unix(0, sent)
		why, recorded, _ := j.cover.Recorded(f.Other.Host, at)
		switch {
		case o.seen.near(sent, d.within()):
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
	case o.dropped.After(time.Unix(0, sends[0]).Add(-d.within())):
		f.Seen, f.Reason = SeenDropped, o.reason
	default:
		if f.Reason = j.doubt(d, o, time.Unix(0, sends[0])); f.Reason != "" {
			f.Seen = SeenUnknown
		} else {
			f.Seen = SeenNone
			f.Closed = j.cover.Host(o.id.Host).Start.NotKnown&events.UnknownClosed != 0
		}
	}
	return f
}

// doubt is why it proves nothing that the other end saw no probe come; "": it does.
func (j *Join) doubt(d, other *end, first time.Time) string {
	host, lost := j.cover.Host(other.id.Host), j.lost[other.id.Host]
	switch {
	case host == nil || !host.Began:
		return "its recording does not say what it cannot hold"
	case host.Start.NotKnown&events.UnknownProbed != 0:
		return "its recording holds no probes of the peer (not_known)"
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
		s := "the probes do not arrive there"
		if f.Closed {
			s += ", or the connection has been closed there (katrace --all records that)"
		}
		return fmt.Sprintf("%s: %s saw none of %d come", s, host, f.Sent)
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
		return "not known, no recording has the other end: it is another host's, an address is translated on the way (NAT), or nothing about it was recorded"
	}
	return ""
}
