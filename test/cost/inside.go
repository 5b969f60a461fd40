// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
)

// inside is the time spent, while f runs, in all programs that the tracer has
// descriptors of, or of their links.
func (t *tracer) inside(f func() (time.Duration, error)) (time.Duration, error) {
	before, err := t.runtime()
	if err != nil {
		return 0, err
	}
	if _, err := f(); err != nil {
		return 0, err
	}
	after, err := t.runtime()
	return after - before, err
}

func (t *tracer) runtime() (time.Duration, error) {
	ids, err := t.programs()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for id := range ids {
		took, err := runtimeOf(id)
		if err != nil {
			return 0, fmt.Errorf("program %d of %s: %w", id, t.variant.name, err)
		}
		sum += took
	}
	return sum, nil
}

func runtimeOf(id ebpf.ProgramID) (time.Duration, error) {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.Close() }()
	stats, err := p.Stats()
	if err != nil {
		return 0, err
	}
	return stats.Runtime, nil
}

func (t *tracer) programs() (map[ebpf.ProgramID]bool, error) {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", t.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	ids := map[ebpf.ProgramID]bool{}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			continue // closed meanwhile
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var id ebpf.ProgramID
			if _, err := fmt.Sscanf(lines.Text(), "prog_id: %d", &id); err == nil {
				ids[id] = true
			}
		}
		_ = f.Close()
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s has no programs", t.variant.name)
	}
	return ids, nil
}
