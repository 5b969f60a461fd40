// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// environment is a kernel as people run it, and what is tested there.
type environment struct {
	name    string
	kernel  string // as parseTarget reads it
	cmdline string // more of the kernel's command line
	modules string // more modules to load, by spaces
	set     string // settings before the tests, KEY=VALUE by spaces: sysctls, or paths of files
	mounts  string // TYPE:SOURCE:DIRECTORY[:OPTIONS], by spaces
	without string // what a plain guest has and this one lacks
	gdb     bool   // tests write the kernel's memory
	flags   string // of each katrace that traces
	cases   string // backends that the staged cases are held against; "": all that are asked for
	tests   string // of test/e2e, a regular expression
	list    bool   // and those of the packages that make the list (-also)
	why     string // what is different here
}

// Tests of test/e2e.
const (
	// movingTests are of what moves between kernels: the events, their number, and
	// that nothing is left behind.
	movingTests = "^Test(Cases|Order|Many|Killed)$"
	// absentTests are of what katrace says of backends that cannot work.
	absentTests = "^TestAbsent$"
	bothTests   = "^Test(Cases|Order|Many|Killed|Absent)$"
)

// nfsModules are client and server.
const nfsModules = "nfsv4 nfsd"

// noCases stands for no backend at all.
const noCases = "none"

// environments are those of the matrix. Their names are made of words by
// hyphens: the first word stands for all that begin with it.
var environments = []environment{
	{
		name: "rt-6.12", kernel: "6.12-rt", tests: "^Test(Cases|Order|Many|Killed|FaultCrowd|FollowAll)$", list: true,
		why: "PREEMPT_RT: timers fire in threads, and maps that are not preallocated cannot grow in a burst",
	},
	{
		name: "rt-newest", kernel: "newest-rt", tests: "^Test(Cases|Order|Many|Killed|FaultCrowd|FollowAll)$", list: true,
		why: "the same, on a kernel without /sys/kernel/realtime",
	},
	{
		name: "generic-newest", kernel: "newest-generic", tests: "^Test(Cases|Order|Many|Killed|FollowAll)$", list: true,
		why: "the kernel of machines that are not virtual",
	},
	{
		name: "nojit", kernel: "newest", set: "net.core.bpf_jit_enable=0", tests: movingTests, list: true,
		why: "the interpreter has no kernel functions: programs must not call any",
	},
	{
		name: "ftrace-off", kernel: "6.12", set: "kernel.ftrace_enabled=0", cases: "tracepoint", tests: bothTests, list: true,
		why: "kprobes on functions' entries and fentry attach and stay silent; attaching and switching on breaks ftrace until reboot",
	},
	{
		name: "kprobes-off", kernel: "newest", set: "/sys/kernel/debug/kprobes/enabled=0", cases: "fentry,tracepoint", tests: bothTests, list: true,
		why: "kprobes attach and stay silent",
	},
	{
		name: "confidentiality", kernel: "newest", cmdline: "lockdown=confidentiality", without: "tracefs", cases: noCases, tests: absentTests,
		why: "no program may read the kernel's memory: only the list by netlink works",
	},
	{
		name: "noipv6", kernel: "newest", cmdline: "ipv6.disable=1", without: "ipv6", tests: movingTests, list: true,
		why: "the functions of IPv6 are there and its sockets are not",
	},
	{
		name: "cgroup-v1", kernel: "newest", tests: "^Test(Cases|Order|Many|Killed|CgroupV1)$", list: true,
		mounts: "tmpfs:none:/sys/fs/cgroup cgroup:none:/sys/fs/cgroup/systemd:none,name=systemd cgroup:none:/sys/fs/cgroup/pids:pids",
		why:    "cgroup v1 alone: the socket's cgroup names nothing",
	},
	{
		name: "hidden-btf", kernel: "newest", without: "btf", flags: "--btf /btf/vmlinux", cases: "kprobe,tracepoint", tests: bothTests,
		mounts: "bind:/sys/kernel/btf:/btf tmpfs:none:/sys/kernel/btf",
		why:    "types come from a file; fentry needs the kernel's own",
	},
	{
		name: "hidden-btf-5.10", kernel: "5.10", without: "btf", flags: "--btf /btf/vmlinux", cases: "kprobe,tracepoint", tests: movingTests,
		mounts: "bind:/sys/kernel/btf:/btf tmpfs:none:/sys/kernel/btf",
		why:    "the same where each field is read by a call; elsewhere fentry and fexit take the place of some kprobes",
	},
	{
		name: "nfs-6.12", kernel: "6.12", modules: nfsModules, cases: noCases, tests: "^TestInKernel$",
		why: "the kernel has TCP connections of its own, with keepalive on",
	},
	{
		name: "nfs-newest", kernel: "newest", modules: nfsModules, cases: noCases, tests: "^TestInKernel$",
		why: "the same, on the newest kernel",
	},
	{
		name: "aged", kernel: "newest", cmdline: "no_hash_pointers", gdb: true, cases: noCases, tests: "^TestAged$",
		why: "a connection whose last data came more than 2^31 jiffies ago: made by writing the kernel's memory",
	},
}

// allEnvironments stands for every one of them in a list.
const allEnvironments = "all"

// findEnvironments reads a list of names by commas; "" is none.
func findEnvironments(list string) (out []environment, err error) {
	if list == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(list, ",") {
		found := false
		for _, e := range environments {
			if word == allEnvironments || e.name == word || strings.HasPrefix(e.name, word+"-") {
				found = true
				if !slices.ContainsFunc(out, func(o environment) bool { return o.name == e.name }) {
					out = append(out, e)
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("no environment %q: there are %s, and %s", word, environmentNames(), allEnvironments)
		}
	}
	return out, nil
}

func environmentNames() string {
	var names []string
	for _, e := range environments {
		names = append(names, e.name)
	}
	return strings.Join(names, ",")
}

// plain is a kernel without anything special: the tests of what moves between
// kernels, or all.
func plain(t target, whole bool) environment {
	e := environment{name: t.String(), kernel: t.String(), tests: movingTests, list: true}
	if whole {
		e.tests = ""
	}
	return e
}

// staging is how a guest becomes this environment.
func (e environment) staging() (staging, error) {
	s := staging{cmdline: e.cmdline, gdb: e.gdb}
	var errs []error
	for name := range strings.FieldsSeq(e.modules) {
		s.modules = append(s.modules, name)
	}
	for text := range strings.FieldsSeq(e.set) {
		v, err := parseSetting(text)
		s.settings, errs = append(s.settings, v), append(errs, err)
	}
	for text := range strings.FieldsSeq(e.mounts) {
		v, err := parseMount(text)
		s.mounts, errs = append(s.mounts, v), append(errs, err)
	}
	if e.without != "" {
		v, err := parseFacilities(e.without)
		s.without, errs = v, append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return s, fmt.Errorf("environment %s: %w", e.name, err)
	}
	return s, nil
}

// backends are those of the asked ones that the staged cases are held against.
func (e environment) backends(asked []string) (out []string) {
	if e.cases == "" {
		return asked
	}
	for _, b := range asked {
		if slices.Contains(strings.Split(e.cases, ","), b) {
			out = append(out, b)
		}
	}
	return out
}
