// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"katrace/internal/events"
)

// maxLine is the longest line of a recording that is read, in bytes. A real
// one has about 700.
const maxLine = 64 << 10

// lines reads the events of one recorded JSON stream.
type lines struct {
	in   *bufio.Reader
	line int
}

func newLines(in io.Reader) *lines { return &lines{in: bufio.NewReaderSize(in, maxLine)} }

// pending says that the next line is here already: to read it does not wait.
func (r *lines) pending() bool {
	data, _ := r.in.Peek(r.in.Buffered())
	return bytes.IndexByte(data, '\n') >= 0
}

// LineError is a damaged line, or one of which something is not known. Reading goes
// on after it.
type LineError struct {
	Line int // the first is 1
	Err  error
}

func (e *LineError) Error() string {
	const most = 200 // bytes: errors quote what is wrong, and that may be all of the line
	s := e.Err.Error()
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return fmt.Sprintf("line %d: %s", e.Line, s)
}

func (e *LineError) Unwrap() error { return e.Err }

// next returns the next event, io.EOF at the end, a *LineError for a line that
// is not an event, or of which something is not known (events.ParseJSON). Empty
// lines are passed over.
func (r *lines) next() (events.Event, error) {
	for {
		data, err := r.in.ReadSlice('\n')
		if len(data) == 0 && err != nil {
			return events.Event{}, err
		}
		r.line++
		if errors.Is(err, bufio.ErrBufferFull) {
			if err := r.skipLine(); err != nil {
				return events.Event{}, err
			}
			return events.Event{}, &LineError{r.line, fmt.Errorf("longer than %d bytes", maxLine)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return events.Event{}, err
		}
		if data = bytes.TrimSpace(data); len(data) == 0 {
			continue
		}
		e, err := events.ParseJSON(data)
		if err != nil {
			return e, &LineError{r.line, err}
		}
		return e, nil
	}
}

func (r *lines) skipLine() error {
	for {
		_, err := r.in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}
