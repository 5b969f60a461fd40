// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// peak is the most memory that a process had resident so far, or a process that
// it started.
type peak struct {
	bytes atomic.Uint64
	end   chan struct{}
	once  sync.Once
}

// watch looks ten times a second, for a process that has ended has no memory. stop
// ends that.
func (p *peak) watch(pid int) {
	p.end = make(chan struct{})
	go func() {
		for {
			for _, process := range family(pid) {
				p.bytes.Store(max(p.bytes.Load(), highest(process)))
			}
			select {
			case <-p.end:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
}

func (p *peak) stop() {
	if p.end != nil {
		p.once.Do(func() { close(p.end) })
	}
}

// family is a process and those that it started, which run.
func family(pid int) []string {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	return append(strings.Fields(string(children)), fmt.Sprint(pid))
}

// highest is a process's resident memory at its highest, in bytes; 0 for one that
// has ended.
func highest(process string) (kib uint64) {
	status, _ := os.ReadFile("/proc/" + process + "/status")
	if _, rest, ok := strings.Cut(string(status), "VmHWM:"); ok {
		_, _ = fmt.Sscan(rest, &kib)
	}
	return kib << 10
}
