// SPDX-License-Identifier: BSD-2-Clause

package loader

import "testing"

// TestWithoutCasts: no call of a kernel function is left in any program, and
// no program changes its length, which its jumps go by.
func TestWithoutCasts(t *testing.T) {
	spec, err := loadKatrace()
	if err != nil {
		t.Fatal(err)
	}
	calls := func() (n int) {
		for _, p := range spec.Programs {
			for i := range p.Instructions {
				if p.Instructions[i].IsKfuncCall() {
					n++
				}
			}
		}
		return n
	}
	lengths := map[string]uint64{}
	for name, p := range spec.Programs {
		lengths[name] = p.Instructions.Size()
	}
	if calls() == 0 {
		t.Error("no program calls a kernel function: this test sees nothing")
	}
	withoutCasts(spec)
	if n := calls(); n > 0 {
		t.Errorf("%d calls are left", n)
	}
	for name, p := range spec.Programs {
		if p.Instructions.Size() != lengths[name] {
			t.Errorf("%s: %d bytes of instructions, want %d", name, p.Instructions.Size(), lengths[name])
		}
	}
}
