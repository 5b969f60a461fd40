// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// code names what the records of dropped segments hold in numbers: the reason
// and the place in the kernel's code.
type code struct {
	reasons  map[uint32]string
	kallsyms *os.File // opened while addresses are shown to this process; nil: it cannot be read
	// places are the functions found so far: a drop's place is one of few.
	places map[uint64]string
}

func openCode(types *btf.Spec) code {
	c := code{reasons: dropReasons(types), places: map[uint64]string{}}
	c.kallsyms, _ = os.Open("/proc/kallsyms")
	return c
}

func (c *code) close() {
	if c.kallsyms != nil {
		_ = c.kallsyms.Close()
	}
}

// dropReasons names the values of enum skb_drop_reason (include/net/dropreason-core.h).
func dropReasons(types *btf.Spec) map[uint32]string {
	var enum *btf.Enum
	if types.TypeByName("skb_drop_reason", &enum) != nil {
		return nil
	}
	names := map[uint32]string{}
	for _, v := range enum.Values {
		if name, ok := strings.CutPrefix(v.Name, "SKB_DROP_REASON_"); ok {
			names[uint32(v.Value)] = name
		}
	}
	return names
}

// DropReason is why a segment was dropped, by the kernel's own name
// (SKB_DROP_REASON_…); "" where the kernel gives none.
func (t *Tracer) DropReason(r *Record) string {
	if name := t.code.reasons[r.DropReason]; name != "NOT_SPECIFIED" {
		return name
	}
	return ""
}

// DropPlace is the function that dropped it, as the program had the kernel name
// it, or before 5.13 as /proc/kallsyms does; "" where that does not show addresses.
func (t *Tracer) DropPlace(r *Record) string {
	if symbol, _, _ := bytes.Cut(r.Symbol[:], []byte{0}); len(symbol) > 0 {
		name, _, _ := bytes.Cut(symbol, []byte(" "))
		return codeOf(name)
	}
	place, known := t.code.places[r.Location]
	if !known {
		place = t.code.function(r.Location)
		t.code.places[r.Location] = place
	}
	return place
}

func (c *code) function(addr uint64) string {
	if c.kallsyms == nil {
		return ""
	}
	if _, err := c.kallsyms.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	name, err := functionAt(c.kallsyms, addr)
	if err != nil {
		return ""
	}
	return name
}

// functionAt is the function of /proc/kallsyms that holds the address: the one
// that begins last before it. What a compiler appends to the name (.isra.0,
// .constprop.0, .cold, .llvm.HASH) is left out: it is code of that function.
func functionAt(kallsyms io.Reader, addr uint64) (string, error) {
	var name []byte
	var begin uint64
	sc := bufio.NewScanner(kallsyms)
	for sc.Scan() {
		// ADDRESS TYPE NAME, and a tab and [MODULE] behind it.
		at, rest, _ := bytes.Cut(sc.Bytes(), []byte(" "))
		kind, rest, _ := bytes.Cut(rest, []byte(" "))
		if !isCode(kind) {
			continue
		}
		a, err := strconv.ParseUint(string(at), 16, 64)
		if err != nil || a == 0 || a >= addr || a < begin || a == begin && name != nil {
			continue
		}
		full, _, _ := bytes.Cut(rest, []byte("\t"))
		begin, name = a, append(name[:0], full...)
	}
	return codeOf(name), sc.Err()
}

// codeOf is the function that a symbol is code of: without what a compiler
// appends to the name (.isra.0, .constprop.0, .cold, .llvm.HASH).
func codeOf(symbol []byte) string {
	base, _, _ := bytes.Cut(symbol, []byte("."))
	return string(base)
}
