// SPDX-License-Identifier: BSD-2-Clause

package group

import (
	"cmp"

	"katrace/internal/conn"
)

// Program is who holds a socket, whatever its pid. Zero: not known.
type Program struct {
	Name   string // as it named itself: not safe for a terminal
	Kernel bool   // the kernel itself, and no program
}

// Holder is the program that holds a socket.
func Holder(o *conn.Owner) Program {
	return Program{o.Process.Comm, o.Process.Comm == "" && o.HeldBy == conn.HeldByKernel}
}

const kernel = "kernel"

// String is the program's name, or "kernel"; "" where it is not known. It is not safe
// for a terminal.
func (p Program) String() string {
	switch {
	case p.Kernel:
		return kernel
	case p.Name == kernel:
		return kernel + " (program)"
	}
	return p.Name
}

// Compare orders by name, the kernel behind what is not known.
func (p Program) Compare(other Program) int {
	c := cmp.Compare(p.Name, other.Name)
	switch {
	case c != 0 || p.Kernel == other.Kernel:
	case p.Kernel:
		c = 1
	default:
		c = -1
	}
	return c
}
