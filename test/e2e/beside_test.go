// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"testing"
)

// beside lets a test run beside others that do so, after all that run alone. Such a test
// waits most of the time, and for what it waits it has a minute or more; its katraces
// look at its own connections only (--netns), or others' make no difference; and it
// changes nothing that is the whole machine's.
func beside(t *testing.T) {
	t.Helper()
	t.Parallel()
}

// nativeOnly is beside, and skips the test in a guest: it does not depend on the backend.
func nativeOnly(t *testing.T) {
	t.Helper()
	skipInGuest(t)
	beside(t)
}

func skipInGuest(t *testing.T) {
	t.Helper()
	if emulated() {
		t.Skip("the same by any backend: tested natively")
	}
}

// emulated says that this is one of test/vm's guests: some faults can be made
// only there, and everything takes longer.
func emulated() bool { return os.Getenv("KATRACE_GUEST") != "" }

// pick is one of two sizes.
func pick(native, guest int) int {
	if emulated() {
		return guest
	}
	return native
}
