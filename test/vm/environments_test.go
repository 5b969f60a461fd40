// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"flag"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"katrace/test/vm/internal/wire"
)

// TestEnvironments: each can be staged, differs from a plain kernel, and has
// something to run there and a word on why.
func TestEnvironments(t *testing.T) {
	seen := map[string]bool{}
	backends := []string{"kprobe", "fentry", "tracepoint"}
	for _, e := range environments {
		if seen[e.name] {
			t.Errorf("%s: twice", e.name)
		}
		seen[e.name] = true
		if e.name == allEnvironments {
			t.Errorf("%s stands for all of them", e.name)
		}
		target, err := parseTarget(e.kernel)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		s, err := e.staging()
		if err != nil {
			t.Error(err)
		}
		if target.flavour == flavours[0].name && cmp.Equal(s, staging{}, cmp.AllowUnexported(staging{})) {
			t.Errorf("%s is a plain kernel", e.name)
		}
		if _, err := regexp.Compile(e.tests); err != nil || e.tests == "" || e.why == "" {
			t.Errorf("%s: tests %q (%v), why %q", e.name, e.tests, err, e.why)
		}
		cases := strings.Contains(e.tests, "Cases")
		if cases != (len(e.backends(backends)) > 0) {
			t.Errorf("%s: cases by %v, and the tests are %s", e.name, e.backends(backends), e.tests)
		}
		for _, b := range strings.Split(e.cases, ",") {
			if e.cases != "" && e.cases != noCases && !slices.Contains(backends, b) {
				t.Errorf("%s: no backend %q", e.name, b)
			}
		}
	}
}

func TestFindEnvironments(t *testing.T) {
	for list, want := range map[string]string{
		"":              "",
		"nojit":         "nojit",
		"rt":            "rt-6.12 rt-newest",
		"rt-newest,rt":  "rt-newest rt-6.12",
		"noipv6,noipv6": "noipv6",
		"all":           strings.ReplaceAll(environmentNames(), ",", " "),
	} {
		envs, err := findEnvironments(list)
		var got []string
		for _, e := range envs {
			got = append(got, e.name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %v, %v, want %s", list, got, err, want)
		}
	}
	for _, list := range []string{"r", "rt-", "rt,", "rt-6.1", "newest"} {
		if envs, err := findEnvironments(list); err == nil {
			t.Errorf("%q: %v", list, envs)
		}
	}
}

func TestChooseEnvironments(t *testing.T) {
	envs, err := chooseEnvironments("5.10,6.12-rt", "5.10,newest", "nojit")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range envs {
		got = append(got, e.name+" "+e.tests)
	}
	if d := cmp.Diff([]string{"5.10-amd64 ", "6.12-rt-amd64 " + movingTests, "nojit " + movingTests}, got); d != "" {
		t.Error("(-want +got):\n" + d)
	}
	for _, c := range [][3]string{{"4.4", "", ""}, {"", "4.4", ""}, {"", "", "4.4"}} {
		if envs, err := chooseEnvironments(c[0], c[1], c[2]); err == nil {
			t.Errorf("%q: %v", c, envs)
		}
	}
}

// TestStagingFlags: the flags say what the table's columns say.
func TestStagingFlags(t *testing.T) {
	e := environment{
		cmdline: "a=1 b", set: "net.core.bpf_jit_enable=0 /sys/x.y=a=b", without: "ipv6,tracefs", gdb: true,
		mounts: "bind:/a:/b cgroup:none:/sys/fs/cgroup/pids/:pids,name=x:y",
	}
	var s staging
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	s.addFlags(flags)
	if err := flags.Parse([]string{
		"-cmdline", "a=1", "-cmdline", "b", "-set", "net.core.bpf_jit_enable=0", "-set", "/sys/x.y=a=b", "-without", "ipv6", "-without", "tracefs",
		"-gdb", "-mount", "bind:/a:/b", "-mount", "cgroup:none:/sys/fs/cgroup/pids/:pids,name=x:y",
	}); err != nil {
		t.Fatal(err)
	}
	want := staging{
		cmdline:  "a=1 b",
		mounts:   []wire.Mount{{Type: "bind", Source: "/a", Dir: "/b"}, {Type: "cgroup", Source: "none", Dir: "/sys/fs/cgroup/pids", Options: "pids,name=x:y"}},
		settings: []wire.Setting{{Path: "/proc/sys/net/core/bpf_jit_enable", Text: "0"}, {Path: "/sys/x.y", Text: "a=b"}},
		without:  []string{"ipv6", "tracefs"},
		gdb:      true,
	}
	table, err := e.staging()
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]staging{"flags": s, "table": table, "nothing more": table.plus(staging{}), "more": staging{}.plus(s)} {
		if d := cmp.Diff(want, got, cmp.AllowUnexported(staging{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}
	for _, bad := range [][]string{{"-mount", "tmpfs:/x"}, {"-mount", "tmpfs:none:x"}, {"-mount", ":a:/b"}, {"-set", "a"}, {"-set", "=1"}, {"-without", "lo"}} {
		if err := flags.Parse(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// TestLoad: what a guest loads of a cache that has more.
func TestLoad(t *testing.T) {
	k := &kernel{Modules: []module{
		{Name: "virtio"}, {Name: "virtio_console", Needs: []string{"virtio"}}, {Name: "core"}, {Name: "tun", Needs: []string{"core"}},
		{Name: "sunrpc"}, {Name: "nfs_acl", Needs: []string{"sunrpc"}}, {Name: "other"},
	}}
	say := func(ms []wire.Module) (out []string) {
		for _, m := range ms {
			word := m.Name
			if m.Required {
				word += "!"
			}
			out = append(out, word)
		}
		return out
	}
	if d := cmp.Diff([]string{"virtio!", "virtio_console!", "core", "tun"}, say(k.load(nil))); d != "" {
		t.Error("the base (-want +got):\n" + d)
	}
	if d := cmp.Diff([]string{"virtio!", "virtio_console!", "core!", "tun!", "sunrpc!", "nfs_acl!"}, say(k.load([]string{"nfs-acl", "tun"}))); d != "" {
		t.Error("more (-want +got):\n" + d)
	}
}
