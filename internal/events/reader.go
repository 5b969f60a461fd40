// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine is the longest line of a recording that is read, in bytes. A real
// one has about 700.
const maxLine = 64 << 10

// Reader reads the events of a recorded JSON stream.
type Reader struct {
	in   *bufio.Reader
	line int
}

// NewReader makes a Reader.
func NewReader(in io.Reader) *Reader { return &Reader{in: bufio.NewReaderSize(in, maxLine)} }

// LineError is a damaged line. The next call of Next goes on after it.
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

// Next returns the next event, io.EOF at the end, a *LineError for a line that
// is not an event. Empty lines are passed over.
func (r *Reader) Next() (Event, error) {
	for {
		data, err := r.in.ReadSlice('\n')
		if len(data) == 0 && err != nil {
			return Event{}, err
		}
		r.line++
		if errors.Is(err, bufio.ErrBufferFull) {
			if err := r.skipLine(); err != nil {
				return Event{}, err
			}
			return Event{}, &LineError{r.line, fmt.Errorf("longer than %d bytes", maxLine)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return Event{}, err
		}
		if data = bytes.TrimSpace(data); len(data) == 0 {
			continue
		}
		e, err := ParseJSON(data)
		if err != nil {
			return Event{}, &LineError{r.line, err}
		}
		return e, nil
	}
}

func (r *Reader) skipLine() error {
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
