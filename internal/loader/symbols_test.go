// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// kallsyms is made of what compilers leave of functions.
const kallsyms = `0000000000000000 A fixed_percpu_data
ffffffff81000010 d tcp_keepalive_timer
ffffffff81b00000 t __pfx_tcp_keepalive_timer
ffffffff81b00010 t tcp_keepalive_timer_of_another
ffffffff81b00020 t tcp_keepalive_timer.llvm.1234567890123456789
ffffffff81b00030 t tcp_keepalive_timer.cold
ffffffff81b00040 T tcp_write_wakeup
ffffffff81b00050 t tcp_send_dupack.isra.0
ffffffff81b00060 t tcp_send_dupack.part.0.llvm.77
ffffffff81b00070 t tcp_v4_err.llvm.
ffffffff81b00080 t tcp_v4_err.llvm.12ab
ffffffffc0500000 t tcp_v6_err	[ipv6]
ffffffffc0500010 t tcp_v6_err.cold	[ipv6]
0000000000000000 W tcp_set_keepalive
`

func TestFindSymbol(t *testing.T) {
	for _, tt := range []struct {
		name string
		want symbol
		err  string // part of it
	}{
		{"tcp_write_wakeup", symbol{"tcp_write_wakeup", 0xffffffff81b00040}, ""},
		{"tcp_keepalive_timer", symbol{"tcp_keepalive_timer.llvm.1234567890123456789", 0xffffffff81b00020}, ""},
		{"tcp_v6_err", symbol{"tcp_v6_err", 0xffffffffc0500000}, ""},
		{"tcp_set_keepalive", symbol{"tcp_set_keepalive", 0}, ""},
		{"tcp_send_dupack", symbol{}, "no function tcp_send_dupack, but tcp_send_dupack.isra.0, tcp_send_dupack.part.0.llvm.77: the compiler inlined or changed it"},
		{"tcp_v4_err", symbol{}, "no function tcp_v4_err, but tcp_v4_err.llvm., tcp_v4_err.llvm.12ab"},
		{"tcp_send_active_reset", symbol{}, "no function tcp_send_active_reset: it is inlined or not built in"},
		{"fixed_percpu_data", symbol{}, "no function"},
	} {
		got, err := oneSymbol(kallsyms, tt.name)
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %+v, %v; want %+v, %q", tt.name, got, err, tt.want, tt.err)
		}
		var none *noFunctionError
		if err != nil && !errors.As(err, &none) {
			t.Errorf("%s: %v is no noFunctionError", tt.name, err)
		}
	}
	if _, err := oneSymbol("x1 t tcp_connect\n", "tcp_connect"); err == nil || !strings.Contains(err.Error(), "x1 t tcp_connect") {
		t.Errorf("a damaged line: %v, want it quoted", err)
	}
}

func oneSymbol(kallsyms, name string) (symbol, error) {
	s, err := findSymbols(strings.NewReader(kallsyms), []string{name})
	if err != nil {
		return symbol{}, err
	}
	return s.of(name)
}

// TestFindSymbols: several at once are what each is alone, also where one's name
// begins another's, and those behind what is not there.
func TestFindSymbols(t *testing.T) {
	names := []string{"tcp_keepalive_timer", "tcp_send_active_reset", "tcp_keepalive_timer_of_another", "tcp_v4_err", "tcp_v6_err"}
	all, err := findSymbols(strings.NewReader(kallsyms), names)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		got, err := all.of(name)
		want, wantErr := oneSymbol(kallsyms, name)
		if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("%s: %+v, %v; alone %+v, %v", name, got, err, want, wantErr)
		}
	}
}

// TestKernelSymbol: the functions that every kernel has are found in this one's.
func TestKernelSymbol(t *testing.T) {
	for _, name := range []string{"tcp_keepalive_timer", "tcp_write_wakeup", "tcp_send_active_reset"} {
		if s, err := kernelSymbol(name); err != nil || !strings.HasPrefix(s.name, name) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
