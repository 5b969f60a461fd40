// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/loader"
	"katrace/test/hostile"
)

// FuzzTracker: whatever the records hold, in whatever order, each event is said
// in words, and its line of the stream is read and written again as it was.
func FuzzTracker(f *testing.F) {
	const size = int(unsafe.Sizeof(loader.Record{}))
	bytesOf := func(r *loader.Record) []byte { return (*[size]byte)(unsafe.Pointer(r))[:] }
	var story []byte
	for kind := loader.RecordProbe; kind <= loader.RecordEnabled; kind++ {
		r := probeRecord()
		r.Kind, r.Flags, r.Reason, r.Ret = kind, loader.FlagAnswered|loader.FlagRTT, uint8(ReasonNotIdle), -113
		r.Pid = 812
		copy(r.Comm[:], "\x1b[2J\xff\n")
		f.Add(bytes.Clone(bytesOf(&r)))
		story = append(story, bytesOf(&r)...)
	}
	unknown := probeRecord() // of a kind that says its reason, and one that there is not
	unknown.Kind, unknown.Reason, unknown.State, unknown.Inherited = loader.RecordTimer, 200, 200, 0xff
	f.Add(append(story, bytesOf(&unknown)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		tracker := NewTracker(jiffy)
		for ; len(data) >= size; data = data[size:] {
			var r loader.Record
			copy(bytesOf(&r), data)
			r.Time %= 1 << 60 // years after boot that no clock reaches
			told := 0
			err := tracker.Record(&r, func(e *Event) error {
				told++
				hostile.CheckPrinting(t, AppendText(nil, e))
				line := AppendJSON(nil, e)
				hostile.CheckPrinting(t, line)
				read, err := ParseJSON(line)
				if err != nil {
					t.Fatalf("%s\nis not read: %v", line, err)
				}
				if again := AppendJSON(nil, &read); !bytes.Equal(again, line) {
					t.Fatalf("%s\nis written again as\n%s", line, again)
				}
				return nil
			})
			if err != nil || told > 2 {
				t.Fatalf("%+v: %d events, %v", r, told, err)
			}
		}
	})
}

// FuzzParseJSON: whatever is read, written and read again is the same, and what
// is written is safe to show.
func FuzzParseJSON(f *testing.F) {
	for _, e := range everyKind() {
		f.Add(AppendJSON(nil, &e.event))
	}
	f.Add([]byte(`{"v":1,"time":"2026-11-22T01:02:03+14:00","event":"icmp","icmp":{"text":"\u001b[2J","from":"::ffff:1.2.3.4"},"errno":"\"","rtt_us":1}`))
	f.Add([]byte(`{"v":1,"time":"2026-11-22T01:02:03Z","event":"lost","netns":1,"local":{"addr":"::","port":0}}`))
	f.Add([]byte(`{"v":1,"time":"2026-11-22T01:02:03Z","event":"closed","icmp":{"type":3},"lost":{"ring":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseJSON(data)
		if err != nil {
			hostile.CheckPrinting(t, []byte(err.Error()))
			return
		}
		line := AppendJSON(nil, &e)
		hostile.CheckPrinting(t, line)
		hostile.CheckPrinting(t, AppendText(nil, &e))
		again, err := ParseJSON(line)
		if err != nil {
			t.Fatalf("%q\nis written as %q,\nwhich is not read: %v", data, line, err)
		}
		if d := cmp.Diff(e, again, sameAddrs); d != "" {
			t.Fatalf("%q\nis written as %q,\nwhich is read as another event:\n%s", data, line, d)
		}
	})
}
