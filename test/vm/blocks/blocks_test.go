// SPDX-License-Identifier: BSD-2-Clause

package blocks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	got, err := Read(strings.NewReader("phase\nffffffff81000000 3 1000\nffffffffc0001000 12 2\nphase\nphase\nffffffff81000010 1 7\n"))
	want := []Phase{{{0xffffffff81000000, 3, 1000}, {0xffffffffc0001000, 12, 2}}, nil, {{0xffffffff81000010, 1, 7}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, damaged := range []string{"ffffffff81000000 3 1\n", "phase\nffffffff81000000 3\n", "phase\nx 3 1\n"} {
		if _, err := Read(strings.NewReader(damaged)); err == nil {
			t.Errorf("%q: no error", damaged)
		}
	}
}

// The processor passes over what is said, with and without a plugin.
func TestSaid(t *testing.T) {
	Begin(0xffffffff81000000)
	End()
}
