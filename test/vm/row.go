// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"katrace/test/vm/internal/wire"
)

// row is one guest of the matrix: one kernel, every backend in turn.
type row struct {
	kernel  *kernel
	cells   []*cell
	err     error  // the guest did not come up, or did not come to its end
	fault   string // what its kernel complained about
	seconds float64
}

func (r *row) name() string { return r.kernel.Series + "-" + r.kernel.Arch }

func (r *row) ok() bool {
	for _, c := range r.cells {
		if !c.ok() {
			return false
		}
	}
	return r.err == nil && r.fault == ""
}

// run boots the guest and fills the row in. Everything that the guest says
// goes into files in logs.
func (r *row) run(ctx context.Context, g *guest, logs string, say io.Writer) {
	k := &keeper{say: say, row: r, text: make([]bytes.Buffer, len(r.cells))}
	out, err := g.run(ctx, k, say)
	r.err = err
	r.seconds = out.total.Seconds()
	r.fault = kernelFault(out)
	if err == nil && len(out.hello.Problems) > 0 {
		r.err = fmt.Errorf("%s: the guest is of no use: %s", r.kernel, strings.Join(out.hello.Problems, "; "))
	}
	write := func(what string, text []byte) {
		if err := os.WriteFile(filepath.Join(logs, r.name()+"-"+what+".log"), text, 0o644); err != nil {
			fmt.Fprintln(say, "vm:", err)
		}
	}
	write("console", out.console)
	write("kernel", out.kernelLog)
	for i, c := range r.cells {
		write(c.backend, k.text[i].Bytes())
		c.log = parseTestLog(k.text[i].String())
	}
	for _, x := range out.exits {
		r.cells[x.Index].ran, r.cells[x.Index].exit = true, x
	}
	fmt.Fprintf(say, "%s: off after %.1f s\n", r.name(), r.seconds)
}

// report tells what went wrong in this guest.
func (r *row) report() string {
	var b strings.Builder
	head := func(what string) { fmt.Fprintf(&b, "\n=== %s (%s), %s\n", r.name(), r.kernel.Version, what) }
	if r.err != nil {
		head("the guest")
		fmt.Fprintln(&b, r.err)
	}
	if r.fault != "" {
		head("its kernel")
		fmt.Fprintln(&b, r.fault)
	}
	for _, c := range r.cells {
		if text := c.report(); text != "" {
			head(c.backend)
			b.WriteString(text)
		}
	}
	return b.String()
}

// keeper keeps each command's output and tells of progress in a line each.
type keeper struct {
	say  io.Writer
	row  *row
	text []bytes.Buffer
}

func (k *keeper) hello(h wire.Hello) {
	fmt.Fprintf(k.say, "%s: %s is up\n", k.row.name(), h.Release)
	for _, note := range h.Notes {
		fmt.Fprintf(k.say, "%s: %s\n", k.row.name(), note)
	}
}

func (k *keeper) start(index int) { k.row.cells[index].started = true }

func (k *keeper) output(index int, _ wire.Kind, text []byte) { k.text[index].Write(text) }

func (k *keeper) exit(x wire.Exit) {
	c := cell{started: true, ran: true, exit: x, log: parseTestLog(k.text[x.Index].String())}
	fmt.Fprintf(k.say, "%s: %s %s, %.1f s\n", k.row.name(), k.row.cells[x.Index].backend, c.String(), x.Seconds)
}
