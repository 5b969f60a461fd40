// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/test/hostile"
)

const goodLine = `{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"closed"}`

// TestParseRefuses: what no event can hold is damage, said without anything a
// terminal acts on.
func TestParseRefuses(t *testing.T) {
	with := func(more string) string { return goodLine[:len(goodLine)-1] + "," + more + "}" }
	for _, in := range []string{
		`{"v":1,"event":"closed"}`,
		strings.Replace(goodLine, "2026-11-22T", "2026-22-11T", 1),
		strings.Replace(goodLine, "2026-11-22T01:02:03.123456789Z", "9999-12-31T23:59:59-23:59", 1),
		strings.Replace(goodLine, "2026-11-22T01:02:03.123456789Z", "0001-01-01T00:00:00+23:59", 1),
		strings.Replace(goodLine, "closed", "\u001b[2J", 1),
		with(`"verdict":"\u001b[2J"`), with(`"reason":"bored"`), with(`"family":"ipx"`), with(`"state":"up"`),
		with(`"netns":-1`), with(`"netns":4294967296`), with(`"inode":"7"`), with(`"unanswered":-1`), with(`"seq":4294967296`),
		with(`"process":{"comm":"sh"}`), with(`"process":{"pid":-4}`),
		with(`"local":{"port":80}`), with(`"local":{"addr":"10.0.0.256","port":80}`), with(`"remote":{"addr":"10.0.0.1","port":65536}`),
		with(`"remote":{"addr":"fe80::1%\u001b[2J","port":80}`), with(`"icmp":{"from":"fe80::1%\u001b[2J"}`),
		with(`"next_ms":9223372036855` + `000`), with(`"next_ms":1.5`), with(`"keepalive":{"idle_ms":"1s"}`), with(`"keepalive":{"cnt":-1}`),
		with(`"rtt_us":-1`), with(`"rtt_us":9223372036854776`),
	} {
		e, err := ParseJSON([]byte(in))
		if err == nil {
			t.Errorf("%s: is taken for %s", in, AppendJSON(nil, &e))
			continue
		}
		hostile.CheckPrinting(t, []byte(err.Error()))
	}
}

// TestParsePassesOver: keys to come do not make a recording unreadable.
func TestParsePassesOver(t *testing.T) {
	e, err := ParseJSON([]byte(goodLine[:len(goodLine)-1] + `,"mood":{"x":[1]},"keepalive":{"inherited":["cnt","linger"]}}`))
	if err != nil || e.Keepalive.Inherited != conn.SettingCount || !bytes.Contains(AppendJSON(nil, &e), []byte(`"inherited":["cnt"]`)) {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestParseUnknown: of a line of a later version the event is there without the words
// that are not known; one of an unknown kind is told from a damaged one.
func TestParseUnknown(t *testing.T) {
	with := func(more string) string { return goodLine[:len(goodLine)-1] + "," + more + "}" }
	good, err := ParseJSON([]byte(goodLine))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"reason", "rst", "by", "verdict", "change", "family", "state", "held_by", "waits_for"} {
		e, err := ParseJSON([]byte(with(`"` + key + `":"strange"`)))
		want, _ := ParseJSON([]byte(with(`"` + key + `":""`)))
		var unknown *enum.UnknownError
		if !errors.As(err, &unknown) || unknown.Word != "strange" || cmp.Diff(want, e, sameAddrs) != "" {
			t.Errorf("%s: %v, %+v", key, err, e)
		}
		if e.Kind != good.Kind || !e.Time.Equal(good.Time) {
			t.Errorf("%s: %+v", key, e)
		}
	}
	e, err := ParseJSON([]byte(strings.Replace(goodLine, `"closed"`, `"strange"`, 1)))
	if !errors.As(err, new(*enum.UnknownError)) || e.Kind != 0 {
		t.Errorf("of an unknown kind: %v, %+v", err, e)
	}
	for _, damaged := range []string{with(`"netns":-1`), with(`"family":"strange","process":{"pid":0}`), strings.Replace(goodLine, `"v":1`, `"v":2`, 1)} {
		if _, err := ParseJSON([]byte(damaged)); err == nil || errors.As(err, new(*enum.UnknownError)) {
			t.Errorf("%s: %v", damaged, err)
		}
	}
}

// TestParseLosses: what a later version has lost otherwise is not taken for nothing.
func TestParseLosses(t *testing.T) {
	const at = `{"v":1,"time":"2026-11-22T01:02:03Z","event":`
	for _, tt := range []struct {
		lost, want string
		unknown    uint64
	}{
		{`{"ring":2,"skipped":{"icmp":3},"left_out":4}`, "", 0},
		{`{"ring":2,"skipped":{"icmp":3},"left_out":4,"eaten":0}`, "", 0},
		{`{"ring":2,"skipped":{"icmp":3},"left_out":4,"eaten":7}`, `unknown loss "eaten"`, 7},
		{`{"ring":2,"skipped":{"icmp":3},"left_out":4,"unknown":2,"eaten":7}`, `unknown loss "eaten"`, 9},
		{`{"ring":2,"skipped":{"icmp":3},"left_out":4,"eaten":{"by":"dog"}}`, `unknown loss "eaten"`, 1},
		{`{"ring":2,"skipped":{"icmp":3,"strange":5},"left_out":4}`, `unknown loss "skipped.strange"`, 5},
		{`{"ring":"2"}`, "damaged", 0},
		{`{"skipped":7}`, "damaged", 0},
	} {
		for _, line := range []string{`"lost","lost":` + tt.lost, `"heartbeat","totals":{"lost":` + tt.lost + `}`, `"stop","totals":{"lost":` + tt.lost + `}`} {
			e, err := ParseJSON([]byte(at + line + "}"))
			got, leftOut := e.Lost, e.LeftOut
			if e.Tracing != nil {
				got, leftOut = e.Tracing.Lost, e.Tracing.LeftOut
			}
			var unknown *enum.UnknownError
			switch said := ""; {
			case errors.As(err, &unknown):
				said = unknown.Brief()
				fallthrough
			case err == nil:
				if said != tt.want || got != (Lost{Ring: 2, Unknown: tt.unknown, Skipped: Skipped{ICMP: 3}}) || leftOut != 4 {
					t.Errorf("%s: %q, %+v, %d left out", line, said, got, leftOut)
				}
			case tt.want != "damaged":
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}
