// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slowWriter takes its time for each write.
type slowWriter time.Duration

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(p), nil
}

// TestUntilBlocked: after the end of the context only a write that does not
// come back ends the stream; detaching, and many writes, may take their time.
func TestUntilBlocked(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name  string
		write io.Writer
		after func(io.Writer) error // what the stream does after ctx's end
		want  string                // of the error, "": none
	}{
		{"slow detaching", io.Discard, func(io.Writer) error { time.Sleep(time.Minute); return nil }, ""},
		{"many writes", slowWriter(grace / 2), func(w io.Writer) error {
			for range 10 {
				_, _ = w.Write(nil)
			}
			return nil
		}, ""},
		{"an error", io.Discard, func(io.Writer) error { time.Sleep(time.Minute); return failed }, "failed"},
		{"blocked", slowWriter(time.Hour), func(w io.Writer) error { _, _ = w.Write(nil); return nil }, "the output has been blocked for 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				var writes writing
				w := writes.watch(tt.write)
				err := untilBlocked(ctx, &writes, func(ctx context.Context) error {
					<-ctx.Done()
					return tt.after(w)
				})
				if got := errorText(err); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
					t.Errorf("%v, want %q", err, tt.want)
				}
				time.Sleep(2 * time.Hour) // what blocks comes back in the end
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
