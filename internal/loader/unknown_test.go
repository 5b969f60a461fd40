// SPDX-License-Identifier: BSD-2-Clause

package loader

import "testing"

// TestUnknownsAreWhole names the words of Lacks that the stream's not_known has
// no word for.
func TestUnknownsAreWhole(t *testing.T) {
	lacks := []string{lacksWitness, givesProbed, givesProbedByte, givesDropReasons}
	for _, b := range Backends() {
		lacks = append(lacks, b.Lacks()...)
		for _, h := range hooks[b] {
			if h.gives != "" {
				lacks = append(lacks, h.gives)
			}
		}
	}
	for _, h := range common {
		if h.gives != "" {
			lacks = append(lacks, h.gives)
		}
	}
	for _, lack := range lacks {
		if unknowns[lack] == "" {
			t.Errorf("%q: unknowns has no word for it", lack)
		}
	}
}
