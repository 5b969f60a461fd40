// SPDX-License-Identifier: BSD-2-Clause

// Package blocks counts how often a guest's kernel runs each of its blocks of
// instructions. The guest, booted by "vm run -blocks FILE", says when counting begins
// and ends; the emulator's plugin (test/vm/plugin) writes the file, which Read reads.
package blocks

import (
	"bufio"
	"fmt"
	"io"
)

// Begin makes the emulator count, until End, what the kernel's function at this address
// does, and the functions that it calls; 0: all that the kernel does. Interrupts are
// part of it. Where no plugin listens nothing happens.
func Begin(within uint64) {
	for bit := 63; bit >= 0; bit-- {
		if within>>bit&1 == 1 {
			one()
		} else {
			zero()
		}
	}
	begin()
}

// End ends the phase that Begin began.
func End() { end() }

// Block is some instructions that follow each other, the last of which may go elsewhere.
type Block struct {
	Address uint64 // of the first
	Insns   uint64 // how many they are
	Runs    uint64 // how often they ran
}

// Phase is what was counted between one Begin and its End.
type Phase []Block

// Read reads the phases in the order in which they ended.
func Read(r io.Reader) ([]Phase, error) {
	var phases []Phase
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if lines.Text() == "phase" {
			phases = append(phases, nil)
			continue
		}
		var b Block
		if len(phases) == 0 {
			return nil, fmt.Errorf("line %d: no phase before %q", n, lines.Text())
		}
		if _, err := fmt.Sscanf(lines.Text(), "%x %d %d", &b.Address, &b.Insns, &b.Runs); err != nil {
			return nil, fmt.Errorf("line %d: %q: %w", n, lines.Text(), err)
		}
		last := &phases[len(phases)-1]
		*last = append(*last, b)
	}
	return phases, lines.Err()
}
