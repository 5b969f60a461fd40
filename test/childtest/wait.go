// SPDX-License-Identifier: BSD-2-Clause

package childtest

import (
	"testing"
	"time"
)

// WaitFor waits until it is so, and fails the test after the limit.
func WaitFor(t testing.TB, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %s for %s", limit, what)
		}
	}
}
