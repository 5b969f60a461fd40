// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printTable prints kernels as rows and, as columns, the number of staged
// cases that agree by each backend, and by all of them with each other.
func printTable(w io.Writer, rows []*row) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for i, r := range rows {
		cells := r.tests.cells(r.backends)
		if i == 0 {
			fmt.Fprint(t, "kernel\tarch\tversion")
			for _, c := range cells {
				fmt.Fprintf(t, "\t%s", c.title)
			}
			fmt.Fprintln(t, "\tguest\tseconds")
		}
		fmt.Fprintf(t, "%s\t%s\t%s", r.kernel.Series, r.kernel.Arch, r.kernel.Version)
		for _, c := range cells {
			fmt.Fprintf(t, "\t%s", c)
		}
		guest := "ok"
		if !r.ok() {
			guest = "FAIL"
		}
		fmt.Fprintf(t, "\t%s\t%.0f\n", guest, r.seconds)
	}
	_ = t.Flush()
	for _, r := range rows {
		for _, why := range r.tests.log.skips() {
			fmt.Fprintf(w, "%s: %s\n", r.name(), why)
		}
	}
}
