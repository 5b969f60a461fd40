// SPDX-License-Identifier: BSD-2-Clause

package podman

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Seccomp is a file with the filter that containerd and Docker have by default, as
// far as katrace is concerned: that of Podman 4.3, in which CAP_BPF allows bpf(2) and
// CAP_PERFMON allows perf_event_open(2). Podman's wants CAP_SYS_ADMIN for both.
// Without iterators bpf(2) does not make any (BPF_ITER_CREATE): as on a kernel that
// has none.
func Seccomp(t *testing.T, iterators bool) string {
	t.Helper()
	text, err := os.ReadFile("/usr/share/containers/seccomp.json")
	if err != nil {
		t.Fatal(err)
	}
	var profile map[string]any
	if err := json.Unmarshal(text, &profile); err != nil {
		t.Fatal(err)
	}
	rules := profile["syscalls"].([]any)
	calls := map[string]string{"bpf": "CAP_BPF", "perf_event_open": "CAP_PERFMON"}
	for call := range calls {
		rules = without(rules, call)
	}
	for call, capability := range calls {
		allow := map[string]any{"names": []string{call}, "action": "SCMP_ACT_ALLOW", "includes": map[string]any{"caps": []string{capability}}}
		if call == "bpf" && !iterators {
			allow["args"] = []map[string]any{{"index": 0, "value": unix.BPF_ITER_CREATE, "op": "SCMP_CMP_NE"}}
		}
		rules = append(rules, allow)
		rules = append(rules, map[string]any{"names": []string{call}, "action": "SCMP_ACT_ERRNO", "errnoRet": 1, "excludes": map[string]any{"caps": []string{capability}}})
	}
	profile["syscalls"] = rules
	if text, err = json.Marshal(profile); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "seccomp.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// without takes the call out of the rules that allow or refuse it.
func without(rules []any, call string) (kept []any) {
	for _, rule := range rules {
		rule := rule.(map[string]any)
		var names []any
		for _, name := range rule["names"].([]any) {
			if name != call {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			rule["names"] = names
			kept = append(kept, rule)
		}
	}
	return kept
}
