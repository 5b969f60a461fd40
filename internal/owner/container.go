// SPDX-License-Identifier: BSD-2-Clause

package owner

import "strings"

// Container is what a cgroup's path tells about the container it belongs to.
type Container struct {
	ID     string // as the runtime's own commands show it; a name for lxc and systemd-nspawn
	PodUID string // the Kubernetes pod's uid, 8-4-4-4-12; a static pod's is a hash of its manifest, 32 digits
}

// scopes are how the systemd units begin that runtimes make for a container:
// <prefix><id>.scope, of podman's the longer first.
var scopes = []string{"docker-", "cri-containerd-", "nerdctl-", "crio-", "libpod-payload-", "libpod-"}

// ParseContainer tells which container a cgroup belongs to; the zero Container
// where none is to be seen. Of nested containers the innermost counts. The
// shapes are those of the runtimes' cgroup managers:
//
//	/docker/<id>                                              docker, cgroupfs
//	/system.slice/docker-<id>.scope                           docker, systemd
//	/kubepods/burstable/pod<uid>/<id>                         Kubernetes, cgroupfs
//	/kubepods.slice/…-pod<uid>.slice/cri-containerd-<id>.scope  containerd
//	/kubepods.slice/…-pod<uid>.slice/crio-<id>.scope          cri-o
//	/system.slice/containerd.service/kubepods-…-pod<uid>.slice:cri-containerd:<id>
//	/machine.slice/libpod-<id>.scope[/container]              podman
//	/lxc.payload.<name>, /lxc/<name>                          lxc
//	/machine.slice/systemd-nspawn@<name>.service/payload      systemd-nspawn
func ParseContainer(path string) Container {
	var c Container
	for rest := path; rest != "" && (c.ID == "" || c.PodUID == ""); {
		slash := strings.LastIndexByte(rest, '/')
		part := rest[slash+1:]
		rest = rest[:max(slash, 0)]
		if c.ID == "" {
			c.ID = containerID(part, rest)
		}
		if c.PodUID == "" {
			c.PodUID = podUID(part)
		}
	}
	return c
}

// containerID finds a container's id in one part of the path, whose parent is
// given; "": there is none.
func containerID(part, parent string) string {
	if unit, ok := strings.CutSuffix(part, ".scope"); ok {
		for _, prefix := range scopes {
			if id, ok := strings.CutPrefix(unit, prefix); ok && isID(id) {
				return id
			}
		}
		return ""
	}
	if id := part[strings.LastIndexByte(part, ':')+1:]; isID(id) { // slice:prefix:id, or an id alone
		return id
	}
	if name, ok := strings.CutPrefix(part, "systemd-nspawn@"); ok {
		if name, ok = strings.CutSuffix(name, ".service"); ok && name != "" {
			return name
		}
	}
	if name, ok := strings.CutPrefix(part, "lxc.payload."); ok && name != "" {
		return name
	}
	if parent[strings.LastIndexByte(parent, '/')+1:] == "lxc" {
		return part
	}
	if id, ok := strings.CutPrefix(part, "libpod-"); ok && isID(id) {
		return id
	}
	return ""
}

// isID says that s is a container's id: 64 hexadecimal digits, or those of
// Amazon ECS, 32 and a decimal number.
func isID(s string) bool {
	if hex, number, ok := strings.Cut(s, "-"); ok {
		return len(hex) == 32 && isHex(hex) && number != "" && strings.Trim(number, "0123456789") == ""
	}
	return len(s) == 64 && isHex(s)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// podUID finds a pod's uid in a part of the path: pod<uid>, or
// [root-]kubepods[-qos]-pod<uid>.slice with _ for -; kind has kubelet for a root.
// A static pod's uid is a hash without dashes.
func podUID(part string) string {
	part, _, _ = strings.Cut(part, ":")
	part = strings.TrimSuffix(part, ".slice")
	if i := strings.LastIndex(part, "-pod"); i >= 0 && strings.Contains(part[:i], "kubepods") {
		part = part[i+1:]
	}
	uid, ok := strings.CutPrefix(part, "pod")
	if !ok {
		return ""
	}
	if uid = strings.ReplaceAll(uid, "_", "-"); !isPodUID(uid) {
		return ""
	}
	return uid
}

// isPodUID says that s is a pod's uid: 8-4-4-4-12 hexadecimal digits, or a static
// pod's 32.
func isPodUID(s string) bool {
	if len(s) == 32 {
		return isHex(s)
	}
	if len(s) != 36 || !isHex(strings.ReplaceAll(s, "-", "")) {
		return false
	}
	for i, c := range []byte(s) {
		if (c == '-') != (i == 8 || i == 13 || i == 18 || i == 23) {
			return false
		}
	}
	return true
}
