// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/events"
	"katrace/test/hostile"
)

const goodLine = `{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"closed"}`

// readAll tells what a Reader makes of a recording: "event", or the error.
func readAll(in io.Reader) (said []string) {
	r := newLines(in)
	for {
		e, err := r.next()
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

// TestLineErrorsAreShort: what is said of a damaged line is a line of a
// terminal or two, not the 64 KiB of the damage.
func TestLineErrorsAreShort(t *testing.T) {
	long := strings.Repeat("\u00e9", maxLine/4)
	for _, in := range []string{long, strings.Replace(goodLine, "closed", long, 1), `{"v":1,"netns":"` + long + `"}`} {
		_, err := newLines(strings.NewReader(in)).next()
		if err == nil || len(err.Error()) > 250 || !strings.HasPrefix(err.Error(), "line 1: ") {
			t.Fatalf("%d bytes: %.80s", len(err.Error()), err)
		}
		hostile.CheckPrinting(t, []byte(err.Error()))
	}
}

// FuzzLines: it ends, and goes on behind damage: a good line at the end of
// whatever comes before is read.
func FuzzLines(f *testing.F) {
	f.Add([]byte("x\r\n\n" + goodLine))
	f.Add([]byte{0, '\n', 0xff, 0xfe})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newLines(bytes.NewReader(append(bytes.Clone(data), "\n"+goodLine+"\n"...)))
		last, number := events.Kind(0), 0
		for {
			e, err := r.next()
			var bad *LineError
			switch {
			case errors.Is(err, io.EOF):
				if last != events.KindClosed {
					t.Fatalf("%q: the good line after it is not read", data)
				}
				return
			case errors.As(err, &bad):
				if bad.Line <= number || bad.Line > bytes.Count(data, []byte("\n"))+1 {
					t.Fatalf("%q: line %d after line %d", data, bad.Line, number)
				}
				number = bad.Line
				last = 0
			case err != nil:
				t.Fatalf("%q: %v", data, err)
			default:
				last = e.Kind
			}
		}
	})
}
