// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"io"
	"slices"

	"katrace/internal/owner"
)

// dropPrivileges gives up, once the tracer is attached, what is needed no
// longer: all but the capabilities by which owners are found, and those of keep.
// A system that does not let go of privileges (a seccomp filter) is no reason
// not to trace.
func (s *stream) dropPrivileges(say io.Writer, keep ...int) {
	if err := s.tracer.DropPrivileges(append(slices.Clone(owner.Needs), keep...)...); err != nil {
		fmt.Fprintf(say, "katrace: all privileges are kept: %v\n", err)
	}
}
