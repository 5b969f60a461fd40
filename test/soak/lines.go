// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"

	"katrace/internal/events"
)

// lines counts a stream's lines.
type lines struct {
	mu                     sync.Mutex
	all                    uint64 // without those about losses, which each output has of its own
	probes, resets, recovs uint64
	lost                   events.Lost
	damaged                uint64
}

// counts is a copy of what was counted.
func (n *lines) counts() lines {
	n.mu.Lock()
	defer n.mu.Unlock()
	return lines{all: n.all, probes: n.probes, resets: n.resets, recovs: n.recovs, lost: n.lost, damaged: n.damaged}
}

// read counts to the end of r.
func (n *lines) read(r io.Reader) error {
	b := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			n.add(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (n *lines) add(line []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	has := func(s string) bool { return bytes.Contains(line, []byte(s)) }
	switch {
	case !bytes.HasPrefix(line, []byte(`{"v":1,`)) || !bytes.HasSuffix(line, []byte("}\n")):
		n.damaged++
		fmt.Printf("soak: a damaged line: %.300q\n", line)
		return
	case has(`"event":"lost"`):
		if e, err := events.ParseJSON(line); err == nil {
			n.lost = n.lost.Plus(e.Lost)
		} else {
			n.damaged++
		}
		return
	case has(`"event":"probe"`):
		n.probes++
	case has(`"event":"reset"`):
		n.resets++
	}
	if has(`"change":"recovered"`) {
		n.recovs++
	}
	n.all++
}

// readFile counts a file's lines and removes it.
func (n *lines) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := n.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return os.Remove(name)
}
