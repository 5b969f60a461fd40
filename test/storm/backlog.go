// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Timers of some seconds expire in batches, a quarter of a second's worth at a
// time: more probes at once than the kernel queues for a CPU by default, so
// that most would be dropped on their way over lo, and never be answered.
const backlogPath = "/proc/sys/net/core/netdev_max_backlog"

// raiseBacklog makes room for n packets. The value is the whole machine's;
// restore puts the old one back. The file stays open, for a network namespace
// that is entered meanwhile has none.
func raiseBacklog(n int) (restore func(), err error) {
	if n == 0 {
		return func() {}, nil
	}
	f, err := os.OpenFile(backlogPath, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	text := make([]byte, 32) // such a file is to be read at once
	length, err := f.Read(text)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	was, err := strconv.Atoi(strings.TrimSpace(string(text[:length])))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", backlogPath, err), f.Close())
	}
	set := func(n int) error {
		_, err := f.WriteAt(fmt.Appendf(nil, "%d", n), 0)
		return err
	}
	if err := set(n); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		if err := errors.Join(set(was), f.Close()); err != nil {
			fmt.Fprintf(os.Stderr, "storm: net.core.netdev_max_backlog was %d: %v\n", was, err)
		}
	}, nil
}

// dropped is how many packets the kernel did not queue so far.
func dropped() (uint64, error) {
	data, err := os.ReadFile("/proc/net/softnet_stat")
	if err != nil {
		return 0, err
	}
	var all uint64
	for line := range bytes.Lines(data) { // a CPU each; the second figure
		var seen, dropped uint64
		if _, err := fmt.Sscanf(string(line), "%x %x", &seen, &dropped); err != nil {
			return 0, fmt.Errorf("/proc/net/softnet_stat: %w", err)
		}
		all += dropped
	}
	return all, nil
}
