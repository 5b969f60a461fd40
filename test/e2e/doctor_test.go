// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	"katrace/internal/loader"
)

// TestDoctor: of every backend under test the doctor says that it can be used,
// and sees each of its hooks fire in its self-test. A new hook has to be among
// what lab.SelfTest makes the kernel run.
func TestDoctor(t *testing.T) {
	stdout, stderr, status := katrace(t, "doctor", "-o", "json")
	var report struct {
		Chosen   string
		SelfTest struct {
			Own bool `json:"own_netns"`
		} `json:"self_test"`
		Backends []struct {
			Backend string
			Usable  bool
			Hooks   []struct {
				Hook     string
				Fired    bool
				NotTried string `json:"not_tried"`
				Why      string
			}
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != 0 {
		t.Fatalf("exit status %d, %v\n%s%s", status, err, stdout, stderr)
	}
	if !report.SelfTest.Own {
		t.Error("the self-test was not in a network namespace of its own")
	}
	if len(report.Backends) != 3 || report.Chosen == "" {
		t.Errorf("%d backends, chosen %q", len(report.Backends), report.Chosen)
	}
	for _, b := range report.Backends {
		if !b.Usable && slices.Contains(backends(), loader.Backend(b.Backend)) {
			t.Errorf("%s cannot be used", b.Backend)
		}
		for _, h := range b.Hooks {
			if b.Usable && !h.Fired {
				t.Errorf("%s: %s did not fire: %s%s", b.Backend, h.Hook, h.NotTried, h.Why)
			}
		}
	}
}
