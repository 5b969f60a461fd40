// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// grace is how long a single write may take after the end.
const grace = 3 * time.Second

// errBlocked is what untilBlocked ends with.
var errBlocked = fmt.Errorf("the output has been blocked for %s: what is not written yet is lost", grace)

// writing knows since when a write has been under way.
type writing struct {
	number atomic.Uint64 // odd: one is under way
}

// watch is w, known to writing. Of several writers one at a time may be in use.
func (p *writing) watch(w io.Writer) io.Writer { return watched{w, p} }

type watched struct {
	io.Writer
	*writing
}

func (w watched) Write(p []byte) (int, error) {
	w.number.Add(1)
	defer w.number.Add(1)
	return w.Writer.Write(p)
}

// untilBlocked runs f. When ctx has ended it waits for f no longer than a write
// stands still for grace: a reader that reads no more blocks it in write(2),
// which nothing interrupts. What else f does may take as long as it takes: a
// kernel lets go of probes in its own time.
func untilBlocked(ctx context.Context, writes *writing, f func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	look := time.NewTicker(grace)
	defer look.Stop()
	for {
		before := writes.number.Load()
		select {
		case err := <-done:
			return err
		case <-look.C:
		}
		if before%2 == 1 && writes.number.Load() == before {
			return errBlocked
		}
	}
}

// untilInterrupted is untilBlocked for what can be written again, a list or a
// recording: there, to be cut short by ctx's end is no error.
func untilInterrupted(ctx context.Context, writes *writing, f func(context.Context) error) error {
	err := untilBlocked(ctx, writes, f)
	if errors.Is(err, errBlocked) {
		return nil
	}
	return err
}
