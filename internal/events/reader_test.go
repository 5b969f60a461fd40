// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/test/hostile"
)

const goodLine = `{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"closed"}`

// readAll tells what a Reader makes of a recording: "event", or the error.
func readAll(in io.Reader) (said []string) {
	r := NewReader(in)
	for {
		e, err := r.Next()
		var bad *LineError
		switch {
		case errors.Is(err, io.EOF):
			return said
		case errors.As(err, &bad):
			said = append(said, fmt.Sprintf("line %d", bad.Line))
		case err != nil:
			return append(said, err.Error())
		default:
			said = append(said, e.Kind.String())
		}
	}
}

func TestReader(t *testing.T) {
	tooLong := `{"v":1,"x":"` + strings.Repeat("x", 3*maxLine) + `"}`
	asLong := goodLine[:len(goodLine)-1] + `,"x":"`
	asLong += strings.Repeat("x", maxLine-len(asLong)-3) + "\"}\n"
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"lines", goodLine + "\n" + goodLine + "\n", []string{"closed", "closed"}},
		{"no newline at the end", goodLine + "\n" + goodLine, []string{"closed", "closed"}},
		{"cut off at the end", goodLine + "\n" + goodLine[:30], []string{"closed", "line 2"}},
		{"empty lines", "\n\n" + goodLine + "\n \t\n\nx\n", []string{"closed", "line 6"}},
		{"CRLF", goodLine + "\r\n\r\n" + goodLine + "\r\n", []string{"closed", "closed"}},
		{"damaged lines between", "x\n" + goodLine + "\n{}\n[]\n\"\"\nnull\n" + goodLine + "\n",
			[]string{"line 1", "closed", "line 3", "line 4", "line 5", "line 6", "closed"}},
		{"another version", strings.Replace(goodLine, `"v":1`, `"v":2`, 1), []string{"line 1"}},
		{"two on a line", goodLine + goodLine, []string{"line 1"}},
		{"as long as it may be", asLong + goodLine, []string{"closed", "closed"}},
		{"too long", goodLine + "\n" + tooLong + "\n" + goodLine + "\nx\n", []string{"closed", "line 2", "closed", "line 4"}},
		{"too long, the last", goodLine + "\n" + tooLong, []string{"closed", "line 2"}},
		{"NUL bytes, as a crash leaves them", "\x00\x00\x00\n" + goodLine, []string{"line 1", "closed"}},
		{"a line of UTF-16", "\xff\xfe{\x00\n", []string{"line 1"}},
	} {
		if d := cmp.Diff(tt.want, readAll(strings.NewReader(tt.in))); d != "" {
			t.Errorf("%s (- want, + got):\n%s", tt.name, d)
		}
		if d := cmp.Diff(tt.want, readAll(iotest.OneByteReader(strings.NewReader(tt.in)))); d != "" {
			t.Errorf("%s, byte by byte (- want, + got):\n%s", tt.name, d)
		}
	}
}

// TestReaderFails: an error of the file is no end and no damaged line, nor is
// half a line before it an event.
func TestReaderFails(t *testing.T) {
	broken := errors.New("input/output error")
	for _, half := range []string{"", goodLine, strings.Repeat("x", 2*maxLine)} {
		in := io.MultiReader(strings.NewReader(goodLine+"\n"+half), iotest.ErrReader(broken))
		if d := cmp.Diff([]string{"closed", broken.Error()}, readAll(in)); d != "" {
			t.Errorf("%.20q (- want, + got):\n%s", half, d)
		}
	}
}

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

// TestLineErrorsAreShort: what is said of a damaged line is a line of a
// terminal or two, not the 64 KiB of the damage.
func TestLineErrorsAreShort(t *testing.T) {
	long := strings.Repeat("\u00e9", maxLine/4)
	for _, in := range []string{long, strings.Replace(goodLine, "closed", long, 1), `{"v":1,"netns":"` + long + `"}`} {
		_, err := NewReader(strings.NewReader(in)).Next()
		if err == nil || len(err.Error()) > 250 || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Fatalf("%d bytes: %.80s", len(err.Error()), err)
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
