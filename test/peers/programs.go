// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
)

// ErrNoPrograms is the error for a process that has no BPF programs.
var ErrNoPrograms = errors.New("it has no BPF programs")

// Runtime is the time spent so far in all BPF programs that a process has
// descriptors of, or of their links, as far as the kernel counted it
// (BPF_ENABLE_STATS).
func Runtime(pid int) (time.Duration, error) {
	ids, err := programs(pid)
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, fmt.Errorf("process %d: %w", pid, ErrNoPrograms)
	}
	var sum time.Duration
	for id := range ids {
		took, err := runtimeOf(id)
		if err != nil {
			return 0, fmt.Errorf("program %d of process %d: %w", id, pid, err)
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

func programs(pid int) (map[ebpf.ProgramID]bool, error) {
	names, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
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
	return ids, nil
}
