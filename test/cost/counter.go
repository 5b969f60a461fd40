// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/test/vm/blocks"
)

// scope is whose instructions are counted.
type scope int

const (
	// Timers, and what is received over lo, are softirqs. So what runs beside them is
	// not counted: this program, the clock's tick, the idle loop, other threads.
	softirqs scope = iota
	everything
)

// counter tells the emulator what to count, and its user which phase was which work.
// The zero value has counted nothing.
type counter struct {
	softirqs uint64 // the address of the function that carries them out
	phases   int    // so many have ended
	marks    []mark // since the last tell
	out      io.Writer
}

// mark says that a phase of package blocks, from 0 on, was some work done n times.
type mark struct {
	Work  string
	Phase int
	N     int
}

// counted is what there is to know of one variant beside the counts: with the kernel's
// symbols the addresses become names. Those of programs change with each tracer.
type counted struct {
	Kernel  string
	Variant string
	Marks   []mark
	Symbols []symbol
}

type symbol struct {
	Address uint64
	Name    string
}

func newCounter() (c counter, err error) {
	all, err := readSymbols(false)
	if err != nil {
		return c, err
	}
	// In older kernels __do_softirq does it itself.
	for _, name := range []string{"handle_softirqs", "__do_softirq"} {
		if i := slices.IndexFunc(all, func(s symbol) bool { return s.Name == name }); i >= 0 && all[i].Address != 0 {
			c.softirqs = all[i].Address
			return c, nil
		}
	}
	return c, errors.New("the kernel has no handle_softirqs and no __do_softirq, or hides its addresses")
}

// phase counts the instructions of f.
func (c *counter) phase(in scope, f func() (time.Duration, error)) error {
	within := c.softirqs
	if in == everything {
		within = 0
	}
	blocks.Begin(within)
	_, err := f()
	blocks.End()
	c.phases++
	return err
}

// note says that the last phase was this work.
func (c *counter) note(w work, n int) {
	c.marks = append(c.marks, mark{w.String(), c.phases - 1, n})
}

// tell writes what there is to know of a variant whose tracer still runs, and begins anew.
func (c *counter) tell(v variant) error {
	var uts unix.Utsname
	_ = unix.Uname(&uts)
	symbols, err := readSymbols(len(v.argv) > 0)
	if err != nil {
		return err
	}
	marks := c.marks
	c.marks = nil
	return json.NewEncoder(c.out).Encode(counted{unix.ByteSliceToString(uts.Release[:]), v.name, marks, symbols})
}

// readSymbols reads the kernel's functions; made: only code that is made as it runs, such as programs.
func readSymbols(made bool) ([]symbol, error) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []symbol
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if made && bytes.IndexByte(lines.Bytes(), '[') < 0 {
			continue // the kernel's own, and there are many
		}
		field := strings.Fields(lines.Text())
		if len(field) < 3 || !strings.ContainsAny(field[1], "tTwW") || strings.HasPrefix(field[2], "__pfx_") {
			continue // data, and the padding before a function
		}
		if made && (len(field) < 4 || field[3] != "[bpf]" && !strings.HasPrefix(field[3], "[__builtin__")) {
			continue
		}
		address, err := strconv.ParseUint(field[0], 16, 64)
		if err != nil {
			return nil, fmt.Errorf("/proc/kallsyms: %q: %w", lines.Text(), err)
		}
		all = append(all, symbol{address, field[2]})
	}
	return all, lines.Err()
}
