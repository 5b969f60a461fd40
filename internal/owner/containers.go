// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Containers lists the ids of the containers that processes are in now, as far
// as /proc/PID/cgroup may be read.
func Containers() (ids []string) {
	paths, _ := filepath.Glob("/proc/[0-9]*/cgroup") // the pattern is good
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended, or is hidden
		}
		for line := range strings.Lines(string(text)) {
			fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
			if len(fields) < 3 {
				continue
			}
			if id := ParseContainer(fields[2]).ID; id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
