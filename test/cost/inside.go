// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"time"

	"katrace/test/peers"
)

// inside is the time spent, while f runs, in all programs of the tracer.
func (t *tracer) inside(f func() (time.Duration, error)) (time.Duration, error) {
	before, err := peers.Runtime(t.cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if _, err := f(); err != nil {
		return 0, err
	}
	after, err := peers.Runtime(t.cmd.Process.Pid)
	return after - before, err
}
