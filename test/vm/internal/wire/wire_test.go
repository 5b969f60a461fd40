// SPDX-License-Identifier: BSD-2-Clause

package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFrames(t *testing.T) {
	var port bytes.Buffer
	w := NewWriter(&port)
	long := bytes.Repeat([]byte("0123456789\r\n"), 10_000)
	if err := errors.Join(w.JSON(KindStart, Start{Index: 1}), w.Bytes(KindStdout, long), w.Bytes(KindStderr, nil)); err != nil {
		t.Fatal(err)
	}
	whole := bytes.Clone(port.Bytes())
	r := NewReader(&port)
	var got []byte
	for {
		kind, payload, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case KindStart:
			if string(payload) != `{"index":1}` {
				t.Errorf("start %s", payload)
			}
		case KindStdout:
			got = append(got, payload...)
		default:
			t.Errorf("frame %q", kind)
		}
	}
	if !bytes.Equal(got, long) {
		t.Errorf("%d bytes of output, want the %d written", len(got), len(long))
	}

	r = NewReader(bytes.NewReader(whole[:len(whole)-1]))
	var err error
	for err == nil {
		_, _, err = r.Next()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut frame: %v", err)
	}
	if _, _, err := NewReader(bytes.NewReader([]byte("O\xff\xff\xff\xff"))).Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a damaged frame: %v", err)
	}
}
