// SPDX-License-Identifier: BSD-2-Clause

package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"

	"katrace/test/podman"
)

const (
	podUID  = "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	podName = "cart-7d9f8b6c5-x2x4k"
)

// notCounted is what katrace says without tracefs.
const notCounted = "firings that the kernel runs no BPF program for"

// node is what the DaemonSet's pod finds on its node.
type node struct {
	*podman.Engine
	pods    string // in the place of /var/log/pods
	seccomp string // containerd's default filter
	started int
}

func newNode(t *testing.T) *node {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Engine: podman.Root(), pods: t.TempDir(), seccomp: podman.Seccomp(t, true)}
	if err := os.Mkdir(filepath.Join(n.pods, "shop_"+podName+"_"+podUID), 0o755); err != nil {
		t.Fatal(err)
	}
	n.Import(t, map[string]string{podman.HoldPath: self, "/katrace": *program})
	return n
}

// flags are Podman's for a pod's only container.
func (n *node) flags(t *testing.T, pod *core.PodSpec) (flags, command []string) {
	t.Helper()
	c := &pod.Containers[0]
	s := c.SecurityContext
	flags = []string{"--network", "none", "--user", fmt.Sprint(*s.RunAsUser), "--security-opt", "seccomp=" + n.seccomp, "--cgroupns", "private"}
	for _, drop := range s.Capabilities.Drop {
		flags = append(flags, "--cap-drop", string(drop))
	}
	for _, add := range s.Capabilities.Add {
		flags = append(flags, "--cap-add", string(add))
	}
	if !*s.AllowPrivilegeEscalation {
		flags = append(flags, "--security-opt", "no-new-privileges")
	}
	if *s.ReadOnlyRootFilesystem {
		flags = append(flags, "--read-only", "--read-only-tmpfs=false")
	}
	if pod.HostPID {
		flags = append(flags, "--pid", "host")
	}
	for _, m := range c.VolumeMounts {
		i := slices.IndexFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == m.Name })
		if i < 0 || pod.Volumes[i].HostPath == nil {
			t.Fatalf("%s: no such volume on the host", m.Name)
		}
		from := pod.Volumes[i].HostPath.Path
		if from == "/var/log/pods" {
			from = n.pods
		}
		flags = append(flags, "--volume", from+":"+m.MountPath+":ro,rbind")
	}
	for _, arg := range c.Args {
		command = append(command, strings.ReplaceAll(arg, "$(NODE_NAME)", "node-1"))
	}
	return flags, append([]string{"/katrace"}, command...)
}

// event is a line of the stream. Package events is not used, so that what katrace
// takes has no part in this module's sums.
type event struct {
	Change, Host, Cgroup, Container, Pod, Workload string

	PodNamespace string `json:"pod_namespace"`
	PodName      string `json:"pod_name"`
	Local        struct{ Port uint16 }
	Process      struct {
		PID  int
		Comm string
	}
}

// seen is what the container's katrace says of a connection that falls silent.
type seen struct {
	event  event
	stderr string
	status int // of one that does not start
	held   *podman.Container
}

// watch runs the pod's container beside one whose connection falls silent.
func (n *node) watch(t *testing.T, pod *core.PodSpec) (s seen) {
	t.Helper()
	flags, command := n.flags(t, pod)
	n.started++
	c := n.StartAny(t, fmt.Sprint("katrace-", n.started), flags, command...)
	attached := func() bool {
		_, s.stderr = c.Logs(t)
		return strings.Contains(s.stderr, "attached by")
	}
	podman.Await(t, "katrace to attach, or to end", func() bool { return attached() || !c.Running(t) })
	if !attached() {
		s.status = c.Status(t)
		return s
	}
	var port uint16
	s.held, port = n.StartHolder(t, fmt.Sprint("held-", n.started), true, "--network", "none", "--cgroup-parent", "/kubepods/burstable/pod"+podUID)
	podman.Await(t, "the connection to be silent", func() bool {
		out, _ := c.Logs(t)
		for line := range strings.Lines(out) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err == nil && e.Change == "silent" && e.Local.Port == port {
				s.event = e
				return true
			}
		}
		return false
	})
	_, s.stderr = c.Logs(t)
	return s
}

// TestDaemonSet: each tier's container, with exactly what the manifest gives it, knows
// what the tier promises.
func TestDaemonSet(t *testing.T) {
	n := newNode(t)
	for _, tt := range []struct {
		dir       string
		processes bool
	}{{podsKnown, false}, {processesKnown, true}} {
		t.Run(filepath.Base(tt.dir), func(t *testing.T) {
			s := n.watch(t, &daemonSet(t, tt.dir).Spec.Template.Spec)
			e := &s.event
			if s.held == nil {
				t.Fatalf("status %d: %s", s.status, s.stderr)
			}
			if e.Cgroup != s.held.Cgroup || e.Container != s.held.ID || e.Pod != podUID || e.PodNamespace != "shop" || e.PodName != podName || e.Workload != "cart" || e.Host != "node-1" {
				t.Errorf("got %+v", e)
			}
			if known := e.Process.PID == s.held.PID && e.Process.Comm == podman.HoldComm; known != tt.processes || e.Process.PID != 0 && !tt.processes {
				t.Errorf("the process is %+v, of %d", e.Process, s.held.PID)
			}
			if hidden := strings.Contains(s.stderr, "the host's processes"); hidden == tt.processes {
				t.Errorf("stderr: %s", s.stderr)
			}
			if strings.Contains(s.stderr, notCounted) || strings.Contains(s.stderr, "privileges are kept") {
				t.Errorf("stderr: %s", s.stderr)
			}
		})
	}
}

// TestNothingToSpare: what is missing without each of the things that the manifest
// asks for.
func TestNothingToSpare(t *testing.T) {
	n := newNode(t)
	without := func(capability core.Capability) func(*core.PodSpec) {
		return func(pod *core.PodSpec) {
			s := pod.Containers[0].SecurityContext.Capabilities
			s.Add = slices.DeleteFunc(s.Add, func(c core.Capability) bool { return c == capability })
		}
	}
	unmounted := func(name string) func(*core.PodSpec) {
		return func(pod *core.PodSpec) {
			c := &pod.Containers[0]
			c.VolumeMounts = slices.DeleteFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == name })
		}
	}
	refused := func(says string) func(*seen) bool {
		return func(s *seen) bool {
			return s.status == 3 && strings.Contains(s.stderr, says) && !strings.Contains(s.stderr, "sudo")
		}
	}
	noPod := func(s *seen) bool { return s.held != nil && s.event.Pod == "" && s.event.Cgroup == "" }
	noProcess := func(s *seen) bool { return s.held != nil && s.event.Process.PID == 0 && s.event.PodName == podName }
	type lesser struct {
		dir, name string
		change    func(*core.PodSpec)
		missing   func(*seen) bool
	}
	cases := []lesser{
		{podsKnown, "BPF", without("BPF"), refused("CAP_BPF")},
		{podsKnown, "PERFMON", without("PERFMON"), refused("CAP_PERFMON")},
		{podsKnown, "DAC_READ_SEARCH", without("DAC_READ_SEARCH"), noPod},
		{podsKnown, "the cgroup mount", unmounted("cgroup"), noPod},
		{podsKnown, "the pods mount", unmounted("pods"), func(s *seen) bool { return s.event.Pod == podUID && s.event.PodName == "" }},
		{podsKnown, "the tracing mount", unmounted("tracing"), func(s *seen) bool { return s.held != nil && strings.Contains(s.stderr, notCounted) }},
		{processesKnown, "hostPID", func(pod *core.PodSpec) { pod.HostPID = false }, noProcess},
	}
	if kprobes, err := hasKprobes(); err != nil {
		t.Fatal(err)
	} else if !kprobes { // by kprobe and fentry only the count of missed firings is not known
		cases = append(cases, lesser{podsKnown, "SYSLOG", without("SYSLOG"), refused("CAP_SYSLOG")})
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			pod := daemonSet(t, tt.dir).Spec.Template.Spec
			before, _ := json.Marshal(pod)
			tt.change(&pod)
			if after, _ := json.Marshal(pod); bytes.Equal(before, after) {
				t.Fatal("there was no such thing")
			}
			if s := n.watch(t, &pod); !tt.missing(&s) {
				t.Errorf("without %s nothing is missing, or not what should be: status %d, %+v\n%s", tt.name, s.status, s.event, s.stderr)
			}
		})
	}
}

// TestPtrace: where no BPF iterator finds the processes, /proc does, and that takes
// SYS_PTRACE. (With the iterator, SYS_PTRACE lets katrace see before each event
// whether the process still holds the socket.)
func TestPtrace(t *testing.T) {
	n := newNode(t)
	n.seccomp = podman.Seccomp(t, false)
	pod := daemonSet(t, processesKnown).Spec.Template.Spec
	if s := n.watch(t, &pod); s.held == nil || s.event.Process.PID != s.held.PID {
		t.Errorf("the process is not known: status %d, %+v\n%s", s.status, s.event, s.stderr)
	}
	caps := pod.Containers[0].SecurityContext.Capabilities
	caps.Add = slices.DeleteFunc(caps.Add, func(c core.Capability) bool { return c == "SYS_PTRACE" })
	if s := n.watch(t, &pod); s.held == nil || s.event.Process.PID != 0 || s.event.PodName != podName {
		t.Errorf("without it: status %d, %+v\n%s", s.status, s.event, s.stderr)
	}
}

// TestPodmansFilter: Podman's own default filter wants CAP_SYS_ADMIN beside the others.
func TestPodmansFilter(t *testing.T) {
	n := newNode(t)
	n.seccomp = "/usr/share/containers/seccomp.json"
	pod := daemonSet(t, podsKnown).Spec.Template.Spec
	if s := n.watch(t, &pod); s.status != 3 || !strings.Contains(s.stderr, "a seccomp filter") {
		t.Errorf("status %d: %s", s.status, s.stderr)
	}
	caps := pod.Containers[0].SecurityContext.Capabilities
	caps.Add = append(caps.Add, "SYS_ADMIN")
	if s := n.watch(t, &pod); s.event.PodName != podName {
		t.Errorf("with SYS_ADMIN: status %d, %+v\n%s", s.status, s.event, s.stderr)
	}
}

// TestNodeDebug: what kubectl debug node/NAME --profile=sysadmin makes, with the
// host's root below /host.
func TestNodeDebug(t *testing.T) {
	n := newNode(t)
	held, port := n.StartHolder(t, "held-debug", false, "--network", "none", "--cgroup-parent", "/kubepods/burstable/pod"+podUID)
	out, stderr, status := n.Run(t, []string{"--privileged", "--pid", "host", "--network", "host", "--ipc", "host", "--cgroupns", "host", "--volume", n.pods + ":/host/var/log/pods"},
		"/katrace", "list", "--pods", "/host/var/log/pods", "--pod", "shop/"+podName, "--state", "established", "-o", "json")
	if status != 0 || !strings.Contains(out, fmt.Sprintf(`"local":{"addr":"127.0.0.1","port":%d}`, port)) || !strings.Contains(out, held.ID) || !strings.Contains(out, fmt.Sprintf(`"pid":%d`, held.PID)) {
		t.Errorf("status %d: %s%s", status, out, stderr)
	}
}

// hasKprobes says which backend is chosen here.
func hasKprobes() (bool, error) {
	out, err := exec.Command(*program, "doctor").CombinedOutput()
	if err != nil {
		return false, fmt.Errorf("doctor: %w: %s", err, out)
	}
	return !strings.Contains(string(out), "tracepoint: USED"), nil
}
