// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
)

// containerCgroup makes the test binary a container's process: it joins that
// cgroup, in namespaces of its own, and makes a connection whose peer is silent.
const containerCgroup = "KATRACE_TEST_CONTAINER_CGROUP"

func init() {
	cgroup, ok := os.LookupEnv(containerCgroup)
	if !ok {
		return
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	port := 0
	if err == nil {
		port, err = silentConnection(containedComm, cgroup, 2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(port)
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

// containerShapes are paths of cgroups as the runtimes make them; %s is the id.
// pod is the Kubernetes pod's uid.
var containerShapes = map[string]struct{ path, pod string }{
	"docker by systemd":   {path: "system.slice/docker-%s.scope"},
	"docker by cgroupfs":  {path: "docker/%s"},
	"containerd in a pod": {"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/cri-containerd-%s.scope", "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"},
	"cri-o in a pod":      {"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1c9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a51.slice/crio-%s.scope", "1c9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a51"},
	"a pod by cgroupfs":   {"kubepods/burstable/pod2d9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a52/%s", "2d9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a52"},
	"podman":              {path: "machine.slice/libpod-%s.scope/container"},
}

// podNames are the pods that have a directory, as the kubelet makes them; the others
// have lost theirs.
var podNames = map[string]conn.PodName{
	"0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50": {Namespace: "shop", Name: "cart-7d9f8b6c5-x2x4k"},
	"2d9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a52": {Namespace: "kube-system", Name: "coredns-5dd5756b68-8xkzq"},
}

func podDirs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for uid, name := range podNames {
		if err := os.Mkdir(filepath.Join(dir, name.Namespace+"_"+name.Name+"_"+uid), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contained is a container: a cgroup, and a process in it.
type contained struct{ name, id, pod, path, dir string }

const containedComm = "contained"

// TestContainers: a process in a container's cgroup and in namespaces of its
// own holds a connection whose peer is silent: the stream and the list name the
// container, its pod, the process and the cgroup, under cgroup v2 and v1.
func TestContainers(t *testing.T) {
	mounts := cgroupMounts(t)
	var left []contained
	for version, mount := range mounts {
		for name, shape := range containerShapes {
			id := strings.Repeat(fmt.Sprintf("%08x", 0xc0de0000+len(left)), 8)
			path := fmt.Sprintf(shape.path, id)
			left = append(left, contained{version + ": " + name, id, shape.pod, "/" + path, makeCgroup(t, mount, path)})
		}
	}
	wait := 10 * time.Second
	if os.Getenv("KATRACE_GUEST") != "" {
		wait = time.Minute
	}
	pods := podDirs(t)
	r := start(t, "--addr", holderNetwork(), "--pods", pods)
	// Again where katrace itself reported that the kernel ran no program for a firing.
	for round := range lab.Stagings {
		if len(left) == 0 || round > 0 && tallyOf(r.seen()).lost.Missed == 0 {
			break
		}
		pids := map[string]int{} // by container
		for _, c := range left {
			cmd := holder("", "")
			cmd.Env = append(cmd.Env, containerCgroup+"="+c.dir)
			cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC
			startHolder(t, cmd)
			pids[c.id] = cmd.Process.Pid
		}
		if round == 0 {
			checkContainerList(t, "auto", left, pids, pods)
			checkContainerList(t, "netlink", left, pids, pods)
		}
		for end := time.Now().Add(wait); len(left) > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			told := r.seen()
			left = slices.DeleteFunc(left, func(c contained) bool {
				return slices.ContainsFunc(told, func(e events.Event) bool {
					return e.Container == c.id && e.Pod == c.pod && (conn.PodName{Namespace: e.PodNamespace, Name: e.PodName}) == podNames[c.pod] && e.Cgroup == c.path && e.Process == conn.Process{PID: pids[c.id], Comm: containedComm}
				})
			})
		}
	}
	for _, c := range left {
		t.Errorf("%s: no event names container %s, its pod %q by uid and name, its cgroup and its process", c.name, c.id, c.pod)
	}
	r.stop()
}

// checkContainerList: katrace list finds the containers' sockets, whichever way it lists.
func checkContainerList(t *testing.T, method string, containers []contained, pids map[string]int, pods string) {
	t.Helper()
	out, stderr, status := katrace(t, "list", "--method", method, "--comm", containedComm, "--pods", pods, "-o", "json")
	if status != 0 {
		t.Fatalf("list --method %s: status %d: %s", method, status, stderr)
	}
	type holder struct {
		Container, Pod, Cgroup string
		PodNamespace           string `json:"pod_namespace"`
		PodName                string `json:"pod_name"`
		Process                struct {
			PID  int
			Comm string
		}
	}
	got := map[string]holder{}
	for line := range strings.Lines(out) {
		var s holder
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got[s.Container] = s
	}
	want := map[string]holder{}
	for _, c := range containers {
		name := podNames[c.pod]
		w := holder{Container: c.id, Pod: c.pod, PodNamespace: name.Namespace, PodName: name.Name, Cgroup: c.path}
		w.Process.PID, w.Process.Comm = pids[c.id], containedComm
		want[c.id] = w
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("list --method %s (-want +got):\n%s", method, diff)
	}
	one := containers[0].id
	out, _, _ = katrace(t, "list", "--method", method, "--container", one[:12], "-o", "json")
	if n := strings.Count(out, one); n == 0 || n < strings.Count(out, "\n") {
		t.Errorf("list --method %s --container %s: %s", method, one[:12], out)
	}
}

// cgroupMounts are where cgroup hierarchies are mounted that can be used: v2's,
// and for v1 one of our own, without a controller.
func cgroupMounts(t *testing.T) map[string]string {
	t.Helper()
	mounts := map[string]string{}
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(mount + "/cgroup.controllers"); err == nil {
			mounts["v2"] = mount
		}
	}
	if mounts["v2"] == "" {
		t.Error("no cgroup v2 is mounted")
	}
	v1 := t.TempDir()
	if err := unix.Mount("katrace", v1, "cgroup", 0, "none,name=katrace"); err != nil {
		t.Logf("no cgroup v1 here: %v", err)
		return mounts
	}
	t.Cleanup(func() {
		if err := unix.Unmount(v1, 0); err != nil {
			t.Errorf("unmount %s: %v", v1, err)
		}
	})
	mounts["v1"] = v1
	return mounts
}

// makeCgroup makes a cgroup, and removes it after the test, with those above it
// that are then empty.
func makeCgroup(t *testing.T, mount, path string) (dir string) {
	t.Helper()
	dir = filepath.Join(mount, path)
	var made []string // the outermost last
	for d := dir; d != mount; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range made {
			waitFor(t, time.Minute, d+" to be empty", func() bool {
				err := os.Remove(d)
				return err == nil || errors.Is(err, os.ErrNotExist) || d != dir
			})
		}
	})
	return dir
}
