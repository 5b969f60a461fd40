// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// symbol is a kernel function by the name and the address that /proc/kallsyms
// has. The address is 0 where the kernel hides it.
type symbol struct {
	name string
	addr uint64
}

// noFunctionError says that the kernel has no function that is called so, and
// what else has come of its code, if anything.
type noFunctionError struct {
	name  string
	parts []string // symbols that hold parts or variants of it
}

func (e *noFunctionError) Error() string {
	if len(e.parts) == 0 {
		return "the kernel has no function " + e.name + ": it is inlined or not built in"
	}
	return fmt.Sprintf("the kernel has no function %s, but %s: the compiler inlined or changed it", e.name, strings.Join(e.parts, ", "))
}

// findSymbol looks a function up in the text of /proc/kallsyms. A static one
// is called NAME.llvm.HASH where the kernel was built with Clang's ThinLTO, and
// is the same function. Other suffixes (.isra.0, .constprop.0, .part.0, .cold)
// name parts of a function or variants with other arguments: no place for a hook.
func findSymbol(kallsyms io.Reader, name string) (symbol, error) {
	var (
		parts      []string
		space, tab = []byte(" "), []byte("\t")
	)
	sc := bufio.NewScanner(kallsyms)
	for sc.Scan() {
		// ADDRESS TYPE NAME, and a tab and [MODULE] behind it.
		line := sc.Bytes()
		address, rest, _ := bytes.Cut(line, space)
		kind, rest, _ := bytes.Cut(rest, space)
		if len(rest) < len(name) || string(rest[:len(name)]) != name || !isCode(kind) {
			continue
		}
		full, _, _ := bytes.Cut(rest, tab)
		switch suffix := string(full[len(name):]); {
		case suffix == "", isThinLTO(suffix):
			addr, err := strconv.ParseUint(string(address), 16, 64)
			if err != nil {
				return symbol{}, fmt.Errorf("parse /proc/kallsyms line %q: %w", line, err)
			}
			return symbol{string(full), addr}, nil
		case suffix[0] == '.':
			parts = append(parts, string(full))
		}
	}
	if err := sc.Err(); err != nil {
		return symbol{}, fmt.Errorf("read /proc/kallsyms: %w", err)
	}
	return symbol{}, &noFunctionError{name, parts}
}

// isThinLTO says whether a suffix is the one alone that a promoted static
// function gets (llvm::ModuleSummaryIndex::getGlobalNameForLocal).
func isThinLTO(suffix string) bool {
	hash, ok := strings.CutPrefix(suffix, ".llvm.")
	return ok && hash != "" && strings.Trim(hash, "0123456789") == ""
}

// isCode: T or t, and W or w for a weak function (nm(1)).
func isCode(kind []byte) bool { return len(kind) == 1 && strings.ContainsRune("TtWw", rune(kind[0])) }

// kernelSymbol looks a function up in this kernel.
func kernelSymbol(name string) (symbol, error) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return symbol{}, err
	}
	defer func() { _ = f.Close() }()
	return findSymbol(f, name)
}

// functionAddress is a kernel function's address. It fails where the kernel
// hides addresses: without CAP_SYSLOG, unless both kptr_restrict is 0 and
// perf_event_paranoid at most 1 (kallsyms_show_value).
func functionAddress(name string) (uint64, error) {
	s, err := kernelSymbol(name)
	switch {
	case err != nil:
		return 0, unsupported("find the address of "+name, err, "")
	case s.addr == 0:
		return 0, unsupported("find the address of "+name, errors.New("/proc/kallsyms hides addresses"),
			lacks(missing()|capsOf(unix.CAP_SYSLOG)))
	}
	return s.addr, nil
}
