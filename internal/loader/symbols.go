// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

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

// symbols are kernel functions by their names in the kernel's source, and what
// else came of their code.
type symbols struct {
	found map[string]symbol
	parts map[string][]string
}

// findSymbols looks functions up in the text of /proc/kallsyms. A static one
// is called NAME.llvm.HASH where the kernel was built with Clang's ThinLTO, and
// is the same function. Other suffixes (.isra.0, .constprop.0, .part.0, .cold)
// name parts of a function or variants with other arguments: no place for a hook.
func findSymbols(kallsyms io.Reader, names []string) (symbols, error) {
	var (
		s          = symbols{map[string]symbol{}, map[string][]string{}}
		space, tab = []byte(" "), []byte("\t")
		sc         = bufio.NewScanner(kallsyms)
	)
	for len(s.found) < len(names) && sc.Scan() {
		// ADDRESS TYPE NAME, and a tab and [MODULE] behind it.
		line := sc.Bytes()
		address, rest, _ := bytes.Cut(line, space)
		kind, rest, _ := bytes.Cut(rest, space)
		for _, name := range names {
			if len(rest) < len(name) || string(rest[:len(name)]) != name || !isCode(kind) {
				continue
			}
			if _, known := s.found[name]; known {
				continue
			}
			full, _, _ := bytes.Cut(rest, tab)
			switch suffix := string(full[len(name):]); {
			case suffix == "", isThinLTO(suffix):
				addr, err := strconv.ParseUint(string(address), 16, 64)
				if err != nil {
					return s, fmt.Errorf("parse /proc/kallsyms line %q: %w", line, err)
				}
				s.found[name] = symbol{string(full), addr}
			case suffix[0] == '.':
				s.parts[name] = append(s.parts[name], string(full))
			}
		}
	}
	if err := sc.Err(); err != nil {
		return s, fmt.Errorf("read /proc/kallsyms: %w", err)
	}
	return s, nil
}

// of is the function called name, which was looked for.
func (s symbols) of(name string) (symbol, error) {
	if found, ok := s.found[name]; ok {
		return found, nil
	}
	return symbol{}, &noFunctionError{name, s.parts[name]}
}

// isThinLTO says whether a suffix is the one alone that a promoted static
// function gets (llvm::ModuleSummaryIndex::getGlobalNameForLocal).
func isThinLTO(suffix string) bool {
	hash, ok := strings.CutPrefix(suffix, ".llvm.")
	return ok && hash != "" && strings.Trim(hash, "0123456789") == ""
}

// isCode: T or t, and W or w for a weak function (nm(1)).
func isCode(kind []byte) bool { return len(kind) == 1 && strings.ContainsRune("TtWw", rune(kind[0])) }

// kernelSymbols are the functions that hooks are on, in this kernel. The file is
// read once: it has more than 100,000 lines, which the kernel makes as it is read.
var kernelSymbols = sync.OnceValues(func() (symbols, error) {
	var names []string
	for _, hs := range hooks {
		for _, h := range hs {
			if h.onFunction() && !slices.Contains(names, h.at) {
				names = append(names, h.at)
			}
		}
	}
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return symbols{}, err
	}
	defer func() { _ = f.Close() }()
	return findSymbols(f, names)
})

// kernelSymbol looks a function that a hook is on up in this kernel.
func kernelSymbol(name string) (symbol, error) {
	s, err := kernelSymbols()
	if err != nil {
		return symbol{}, err
	}
	return s.of(name)
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
