// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"slices"
	"testing"
)

// TestColumnsAreWhole names what a column was given and what it was not: each
// is drawn, ordered by, and kept and grown in an order of its own.
func TestColumnsAreWhole(t *testing.T) {
	ranks, hungers := map[int]Column{}, map[int]Column{}
	for col := range numColumns {
		s := &columnSpecs[col]
		if s.title == "" || s.brief == "" {
			t.Errorf("column %d has no title, or no brief one", col)
		}
		if s.draw == nil {
			t.Errorf("%s is not drawn", s.title)
		}
		if s.key == nil {
			t.Errorf("%s orders nothing", s.title)
		}
		if s.least < 1 || s.decent < s.least || s.most < s.decent {
			t.Errorf("%s: widths %d, %d, %d are no least, decent and most", s.title, s.least, s.decent, s.most)
		}
		if len(s.brief) > s.least && col != ColRemote && col != ColOwner {
			t.Errorf("%s: %q does not fit into %d", s.title, s.brief, s.least)
		}
		if other, taken := ranks[s.rank]; taken || s.rank == 0 {
			t.Errorf("%s: rank %d is none, or also that of %s", s.title, s.rank, columnSpecs[other].title)
		}
		ranks[s.rank] = col
		if other, taken := hungers[s.hunger]; taken && s.hunger > 0 {
			t.Errorf("%s: hunger %d is also that of %s", s.title, s.hunger, columnSpecs[other].title)
		}
		hungers[s.hunger] = col
		if (s.hunger == 0) != (s.most == s.decent) {
			t.Errorf("%s: hunger %d, but it may grow from %d to %d", s.title, s.hunger, s.decent, s.most)
		}
	}
	if len(byRank) != int(numColumns) {
		t.Errorf("%d columns are ever taken in, of %d", len(byRank), numColumns)
	}
	twins := ranked(true)
	slices.Sort(twins)
	if got := slices.Compact(twins); len(got) != int(numColumns) {
		t.Errorf("where rows are told apart by their local end: %v", got)
	}
}
