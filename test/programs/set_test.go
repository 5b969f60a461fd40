// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// setAndUndo changes every open socket of the programs while they run, and puts
// the old values back: katrace list says so of each.
func setAndUndo(t *testing.T, method string) {
	values := func() map[uint16]settings { // by local port, of which a connection has two
		found := map[uint16]settings{}
		for _, s := range list(t, method) {
			got, err := s.settings()
			if err != nil {
				t.Fatal(err)
			}
			got.Own = nil // what was set stays the socket's own
			if s.Local.Port >= 32768 {
				found[s.Local.Port] = got
			}
		}
		return found
	}
	set := func(args ...string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), *program, append([]string{"set", "--apply"}, args...)...).CombinedOutput()
		t.Logf("katrace set --apply %v\n%s", args, out)
		if err != nil {
			t.Fatal(err)
		}
	}
	before, undo := values(), filepath.Join(t.TempDir(), "undo.json")
	set("--addr", "127.0.0.0/8", "--method", method, "--on", "--idle", "50", "--intvl", "20", "--cnt", "5", "--user-timeout", "0", "--undo-file", undo)
	changed := values()
	if len(before) < 20 || len(changed) != len(before) {
		t.Fatalf("%d connections, then %d", len(before), len(changed))
	}
	for port, got := range changed {
		if want := (settings{before[port].Comm, true, 50, 20, 5, 0, nil}); !cmp.Equal(got, want) {
			t.Errorf("port %d: %+v, want %+v", port, got, want)
		}
	}
	set("--undo", undo)
	if diff := cmp.Diff(before, values()); diff != "" {
		t.Errorf("after the undo (-before +after):\n%s", diff)
	}
}
