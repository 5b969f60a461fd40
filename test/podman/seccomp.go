// SPDX-License-Identifier: BSD-2-Clause

package podman

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Seccomp is a file with the filter that containerd and Docker have by default, as
// far as katrace is concerned: that of Podman 4.3, in which CAP_BPF allows bpf(2) and
// CAP_PERFMON allows perf_event_open(2). Podman's wants CAP_SYS_ADMIN for both.
func Seccomp(t *testing.T) string {
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
	for call, capability := range map[string]string{"bpf": "CAP_BPF", "perf_event_open": "CAP_PERFMON"} {
		rules = withoutRefusal(rules, call)
		rules = append(rules, map[string]any{"names": []string{call}, "action": "SCMP_ACT_ALLOW", "includes": map[string]any{"caps": []string{capability}}})
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

// withoutRefusal takes the call out of the rules that allow or refuse it.
func withoutRefusal(rules []any, call string) (kept []any) {
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
