// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"slices"
	"testing"

	"katrace/internal/loader"
)

// report is what the doctor writes, as far as it is looked at here.
type report struct {
	Chosen   loader.Backend
	Notes    []string
	SelfTest struct {
		Own bool `json:"own_netns"`
	} `json:"self_test"`
	Backends []backendReport
}

type backendReport struct {
	Backend loader.Backend
	Usable  bool
	Hooks   []struct {
		Hook     string
		OK       bool
		Fired    bool
		NotTried string `json:"not_tried"`
		Why      string
	}
}

// allFired: hooks that this kernel does not have are no matter; the others are.
func (b backendReport) allFired(t *testing.T) {
	t.Helper()
	for _, h := range b.Hooks {
		if h.OK && !h.Fired {
			t.Errorf("%s: %s did not fire: %s%s", b.Backend, h.Hook, h.NotTried, h.Why)
		}
	}
}

func doctor(t *testing.T) (r report, stdout string, status int) {
	t.Helper()
	stdout, stderr, status := katrace(t, "doctor", "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	return r, stdout, status
}

// TestDoctor: of every backend under test the doctor says that it can be used,
// and sees each of its hooks fire in its self-test. A new hook has to be among
// what lab.SelfTest makes the kernel run.
func TestDoctor(t *testing.T) {
	r, stdout, status := doctor(t)
	if status != 0 || r.Chosen == "" || len(r.Backends) != 3 || !r.SelfTest.Own {
		t.Errorf("exit status %d; want 0, a backend, and the self-test in a network namespace of its own:\n%s", status, stdout)
	}
	for _, b := range r.Backends {
		if b.Usable {
			b.allFired(t)
		} else if slices.Contains(backends(), b.Backend) {
			t.Errorf("%s cannot be used:\n%s", b.Backend, stdout)
		}
	}
}
