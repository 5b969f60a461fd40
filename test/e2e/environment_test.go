// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/loader"
)

// environment names the one of test/vm's environments that this is: what is
// staged there takes a kernel of its own. Elsewhere the test is skipped.
func environment(t *testing.T, names ...string) string {
	t.Helper()
	name := os.Getenv("KATRACE_ENVIRONMENT")
	if !slices.Contains(names, name) {
		t.Skip("only in the environments " + strings.Join(names, ", ") + " of test/vm")
	}
	return name
}

// absent are the backends that an environment takes away, and what the reason
// has to name.
var absent = map[string]struct {
	backends []loader.Backend
	why      string
}{
	"ftrace-off":      {[]loader.Backend{loader.Kprobe, loader.Fentry}, "kernel.ftrace_enabled"},
	"kprobes-off":     {[]loader.Backend{loader.Kprobe}, "kprobes/enabled"},
	"hidden-btf":      {[]loader.Backend{loader.Fentry}, "/sys/kernel/btf/vmlinux"},
	"confidentiality": {loader.Backends(), "confidentiality"}, // of lockdown
}

// TestAbsent: a backend whose hooks would stay silent, or cannot be attached,
// is refused with the reason; doctor names it, and auto takes another one.
func TestAbsent(t *testing.T) {
	env := absent[environment(t, "ftrace-off", "kprobes-off", "hidden-btf", "confidentiality")]
	says := func(t *testing.T, args ...string) {
		t.Helper()
		stdout, stderr, status := katrace(t, args...)
		if status != 3 || !strings.Contains(stderr, env.why) {
			t.Errorf("katrace %s: exit status %d, want 3; stderr has to name %q: %s%s", strings.Join(args, " "), status, env.why, stderr, stdout)
		}
	}
	for _, b := range env.backends {
		t.Run(string(b), func(t *testing.T) {
			says(t, append([]string{"-o", "json", "--duration", "1s", "--attach", string(b)}, moreFlags()...)...)
		})
	}
	t.Run("doctor", func(t *testing.T) { doctorNames(t, env.backends, env.why) })
	if len(env.backends) == len(loader.Backends()) {
		t.Run("auto", func(t *testing.T) { says(t, "-o", "json", "--duration", "1s") })
		t.Run("demo", func(t *testing.T) { says(t, "demo", "--case", "vanished") })
		t.Run("list", listWorks)
		return
	}
	t.Run("auto", func(t *testing.T) { autoWorks(t, env.backends) })
}

// doctorNames: doctor says that these backends cannot be used, and no others,
// and has the reason.
func doctorNames(t *testing.T, backends []loader.Backend, why string) {
	stdout, stderr, status := katrace(t, append([]string{"doctor", "-o", "json"}, moreFlags()...)...)
	want := 0
	if len(backends) == len(loader.Backends()) {
		want = 3
	}
	var report struct {
		Backends []struct {
			Backend loader.Backend
			Usable  bool
		}
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || status != want {
		t.Fatalf("doctor: %v, exit status %d, want %d: %s%s", err, status, want, stdout, stderr)
	}
	var unusable []loader.Backend
	for _, b := range report.Backends {
		if !b.Usable {
			unusable = append(unusable, b.Backend)
		}
	}
	if !slices.Equal(unusable, backends) || !strings.Contains(stdout, why) {
		t.Errorf("doctor says that %v cannot be used, want %v, and %q as the reason (among what it says: %t)", unusable, backends, why, strings.Contains(stdout, why))
	}
}

// autoWorks: --attach auto passes these over, with a reason, and reports the probes.
func autoWorks(t *testing.T, not []loader.Backend) {
	l := newLoad(t, 1, true, 9)
	r := follow(t, command(append([]string{"-o", "json", "--attach", "auto", "--event", "probe", l.only()}, moreFlags()...)...))
	r.attached()
	_, by, _ := strings.Cut(r.stderr.String(), "attached by ")
	for _, b := range not {
		if strings.HasPrefix(by, string(b)) {
			t.Errorf("auto takes %s: %s", b, r.stderr)
		}
	}
	l.begin()
	waitFor(t, time.Minute, "the kernel to count two probes", func() bool { return l.counted() >= 2 })
	if counted, n := l.end(), len(ofConns(r.stop())); uint64(n) != counted {
		t.Errorf("%d probes, the kernel counts %d; it said: %s", n, counted, r.stderr)
	}
}

// listWorks: the list needs no BPF.
func listWorks(t *testing.T) {
	l := newLoad(t, 1, true, 9)
	l.begin()
	var stdout, stderr string
	var status int
	inNamespace(t, l.ns, func() error {
		stdout, stderr, status = katrace(t, "list", "-o", "json")
		return nil
	})
	if status != 0 || !strings.Contains(stdout, `"keepalive":{"on":true,"idle_ms":1000,`) {
		t.Errorf("list: exit status %d: %s%s", status, stdout, stderr)
	}
}

// moreFlags are those that this environment needs.
func moreFlags() []string { return strings.Fields(*more) }

// TestFollowAll: connections that were there before katrace, and whose probes
// all come at once, are all followed: where an entry cannot be allocated, their
// answers and ends are not reported.
func TestFollowAll(t *testing.T) {
	environment(t, "rt-6.12", "rt-newest", "generic-newest")
	const n = 2000
	l := newLoad(t, n, true, 100)
	l.begin()
	var runs []*run
	for _, by := range backends() {
		runs = append(runs, launch(t, by, l.only()))
	}
	for _, r := range runs {
		r.attached()
	}
	before := l.counted()
	waitFor(t, 2*time.Minute, "three probes of each", func() bool { return l.counted() >= before+3*n })
	l.end()
	for i, by := range backends() {
		got := tallyOf(runs[i].stop())
		t.Logf("%s: %+v; %s", by, got, lastLine(runs[i].stderr.String()))
		if got.probes < n || got.lost.Follow+got.lost.Memory+got.lost.Tuple > 0 {
			t.Errorf("%s: of %d connections: %+v, want none lost; it said: %s", by, n, got, runs[i].stderr)
		}
	}
}

// TestCgroupV1: --cgroup goes by cgroup v2, and katrace says so where there is none:
// it would match nothing.
func TestCgroupV1(t *testing.T) {
	environment(t, "cgroup-v1")
	_, stderr, _ := katrace(t, "-o", "json", "--attach", string(anyBackend()), "--duration", "1s", "--cgroup", "/pids")
	if !strings.Contains(stderr, "cgroup v2") {
		t.Errorf("--cgroup where there is no cgroup v2: %s", stderr)
	}
}
