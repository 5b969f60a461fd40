// SPDX-License-Identifier: BSD-2-Clause

package group

import (
	"cmp"
	"slices"
	"strings"

	"katrace/internal/conn"
)

// Program is who holds a socket, whatever its pid. Zero: not known.
type Program struct {
	Held Held
	Name string // as it named itself, which may be nothing: not safe for a terminal
}

// Held is who holds a socket.
type Held uint8

// Who that may be.
const (
	HeldByKernel  Held = iota + 1 // the kernel itself, and no program
	HeldByProgram                 // Name's
)

// Holder is the program that holds a socket.
func Holder(o *conn.Owner) Program {
	switch {
	case o.Process != conn.Process{}:
		return Program{HeldByProgram, o.Process.Comm}
	case o.HeldBy == conn.HeldByKernel:
		return Program{Held: HeldByKernel}
	}
	return Program{}
}

const (
	kernel  = "kernel"
	program = "(program)"
)

// What else stands where a program's name does: a program that calls itself so is shown
// as "kernel (program)".
var (
	taken         = []string{kernel, "-", "others", "not known", "not accepted yet"}
	takenPrefixes = []string{"uid ", "pod ", "container "}
)

// String is the program's name, or "kernel"; "" where it is not known. It is another one
// for each, and not safe for a terminal.
func (p Program) String() string {
	switch {
	case p.Held == HeldByKernel:
		return kernel
	case p.Held != HeldByProgram:
		return ""
	case p.Name == "":
		return program
	case slices.Contains(taken, p.Name), strings.HasSuffix(p.Name, program),
		slices.ContainsFunc(takenPrefixes, func(prefix string) bool { return strings.HasPrefix(p.Name, prefix) }):
		return p.Name + " " + program
	}
	return p.Name
}

// Compare orders by name, the kernel behind what is not known.
func (p Program) Compare(other Program) int {
	return cmp.Or(cmp.Compare(p.Name, other.Name), cmp.Compare(p.Held, other.Held))
}
