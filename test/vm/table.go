// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// printTable prints guests as rows and, as columns, the number of staged
// cases that agree by each backend, and by all of them with each other; "-"
// where an environment has none to show.
func printTable(w io.Writer, rows []*row) {
	titles := columnTitles(rows)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "guest\tversion\t%s\tverdict\tseconds\n", strings.Join(titles, "\t"))
	for _, r := range rows {
		cells := map[string]string{}
		for _, c := range r.tests.cells(r.backends) {
			cells[c.title] = c.String()
		}
		fmt.Fprintf(t, "%s\t%s", r.name(), r.kernel.Version)
		for _, title := range titles {
			fmt.Fprintf(t, "\t%s", cmp.Or(cells[title], "-"))
		}
		verdict := "ok"
		if !r.ok() {
			verdict = "FAIL"
		}
		fmt.Fprintf(t, "\t%s\t%.0f\n", verdict, r.seconds)
	}
	_ = t.Flush()
	for _, r := range rows {
		for _, why := range r.tests.log.skips() {
			fmt.Fprintf(w, "%s: %s\n", r.name(), why)
		}
	}
}

// columnTitles are the titles of all rows' cells, those of backends first.
func columnTitles(rows []*row) (titles []string) {
	for _, r := range rows {
		for _, c := range r.tests.cells(r.backends) {
			if !slices.Contains(titles, c.title) {
				titles = append(titles, c.title)
			}
		}
	}
	rank := map[string]int{sameEvents: 1, otherTests: 2}
	slices.SortStableFunc(titles, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
	return titles
}
