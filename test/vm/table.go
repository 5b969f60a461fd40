// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// printTable prints kernels as rows and backends as columns.
func printTable(w io.Writer, rows []*row, backends []string) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprint(t, "kernel\tarch\tversion")
	for _, b := range backends {
		fmt.Fprintf(t, "\t%s", b)
	}
	fmt.Fprintln(t, "\tguest\tseconds")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\t%s", r.kernel.Series, r.kernel.Arch, r.kernel.Version)
		for _, c := range r.cells {
			fmt.Fprintf(t, "\t%s", c)
		}
		guest := "ok"
		if r.err != nil || r.fault != "" {
			guest = "FAIL"
		}
		fmt.Fprintf(t, "\t%s\t%.0f\n", guest, r.seconds)
	}
	_ = t.Flush()
}
