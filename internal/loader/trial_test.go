// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestExamineJudges: a hook is silent where the self-test says that the kernel
// ran what it is on and its program did not run, and then the backend is not used.
// Where the self-test says nothing of it, nothing is known.
func TestExamineJudges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	types, err := kernelTypes("")
	if err != nil {
		t.Skip(err)
	}
	whole, err := open(Tracepoint, &Options{}, types)
	if err != nil {
		t.Skip(err)
	}
	whole.Close()
	// A tracepoint that this test does not make the kernel run. Another program may:
	// then its own program has run, whatever the self-test says.
	const quiet = "tcp_receive_reset"
	for _, tt := range []struct {
		name   string
		ran    map[string]error
		usable bool
		says   string
	}{
		{"nothing was tried", nil, true, "the self-test has nothing for it"},
		{"it could not be tried", map[string]error{quiet: errors.New("no peer")}, true, "no peer"},
		{"it ran", map[string]error{quiet: nil}, false, "does not run BPF programs for it"},
	} {
		r := Examine(Options{}, func() map[string]error { return tt.ran })
		i := slices.IndexFunc(r.Backends, func(b BackendReport) bool { return b.Backend == Tracepoint })
		b := r.Backends[i]
		h := b.Hooks[slices.IndexFunc(b.Hooks, func(h HookReport) bool { return strings.HasSuffix(h.Name, quiet) })]
		usable := tt.usable || h.Fired
		if b.Usable != usable || (r.Chosen == "") == usable {
			t.Errorf("%s: usable %t, chosen %q; want %t", tt.name, b.Usable, r.Chosen, usable)
		}
		if h.Silent() == usable || !h.Fired && !strings.Contains(h.Untried+h.Why, tt.says) {
			t.Errorf("%s: %+v, want %q", tt.name, h, tt.says)
		}
		if left := kernelObjects(t); len(left) > 0 {
			t.Errorf("%s: these stay:\n%s", tt.name, strings.Join(left, "\n"))
		}
	}
}
