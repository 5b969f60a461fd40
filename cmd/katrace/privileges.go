// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"

	"katrace/internal/loader"
)

// dropPrivileges gives up, once the tracer is attached, what is needed no
// longer: all but the capabilities by which owners are found, and those of keep.
// A system that does not let go of privileges (a seccomp filter) is no reason
// not to trace.
func dropPrivileges(t *loader.Tracer, say io.Writer, keep ...int) {
	if err := t.DropPrivileges(append(keep, loader.ForOwners...)...); err != nil {
		fmt.Fprintf(say, "katrace: all privileges are kept: %v\n", err)
	}
}
