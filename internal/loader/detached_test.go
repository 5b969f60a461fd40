// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestReadDetached: a file is read that no mount of this machine need show, and
// no mount stays.
func TestReadDetached(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	mounts := func() string {
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := mounts()
	text, err := readDetached("tracefs", "events/timer/timer_expire_entry/format")
	if err != nil || !strings.Contains(string(text), "name: timer_expire_entry") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := readDetached("tracefs", "events/none"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "events/none in tracefs") {
		t.Errorf("%v, want an error that names the file", err)
	}
	if after := mounts(); after != before {
		t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
	}
}
