// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	id64 = "3f2a9c0d11e24b5f8a7766554433221100ffeeddccbbaa998877665544332211"
	uid  = "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	uidU = "0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50"
)

func TestParseContainer(t *testing.T) {
	hash := strings.Repeat("ab", 16)
	for _, tt := range []struct {
		path string
		want Container
	}{
		{"", Container{}},
		{"/", Container{}},
		{"/system.slice/postgresql@16-main.service", Container{}},
		{"/user.slice/user-1000.slice/session-3.scope", Container{}},
		{"/docker/" + id64, Container{ID: id64}},
		{"/docker/" + id64 + "/system.slice/nginx.service", Container{ID: id64}},
		{"/system.slice/docker-" + id64 + ".scope", Container{ID: id64}},
		{"/system.slice/docker-" + id64 + ".scope/init.scope", Container{ID: id64}},
		{"/system.slice/docker.service", Container{}},
		{"/kubepods/burstable/pod" + uid + "/" + id64, Container{ID: id64, PodUID: uid}},
		{"/kubepods/pod" + uid + "/" + id64, Container{ID: id64, PodUID: uid}},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uidU + ".slice/cri-containerd-" + id64 + ".scope", Container{id64, uid}},
		{"/kubepods.slice/kubepods-pod" + uidU + ".slice/crio-" + id64 + ".scope", Container{id64, uid}},
		{"/kubepods.slice/kubepods-pod" + uidU + ".slice/crio-conmon-" + id64 + ".scope", Container{PodUID: uid}},
		{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + hash + ".slice/docker-" + id64 + ".scope", Container{id64, hash}},
		{"/system.slice/containerd.service/kubepods-burstable-pod" + uidU + ".slice:cri-containerd:" + id64, Container{id64, uid}},
		{"/system.slice/docker-" + id64 + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + uidU + ".slice/cri-containerd-" + strings.Repeat("c", 64) + ".scope",
			Container{strings.Repeat("c", 64), uid}}, // kind
		{"/machine.slice/machine-pod" + uidU + ".slice", Container{}},
		{"/system.slice:docker:" + id64, Container{ID: id64}},
		{"/machine.slice/libpod-" + id64 + ".scope", Container{ID: id64}},
		{"/machine.slice/libpod-" + id64 + ".scope/container", Container{ID: id64}},
		{"/machine.slice/libpod-conmon-" + id64 + ".scope", Container{}},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id64 + ".scope/container", Container{ID: id64}},
		{"/libpod_parent/libpod-" + id64, Container{ID: id64}},
		{"/lxc.payload.web/system.slice/nginx.service", Container{ID: "web"}},
		{"/lxc/web", Container{ID: "web"}},
		{"/machine.slice/systemd-nspawn@web.service/payload/system.slice/x.service", Container{ID: "web"}},
		{"/ecs/" + hash + "/" + hash + "-1234567890", Container{ID: hash + "-1234567890"}},
		{"/docker/" + id64 + "/docker/" + strings.Repeat("c", 64), Container{ID: strings.Repeat("c", 64)}},
		{"/docker/" + id64[:63], Container{}},
		{"/docker/" + strings.ToUpper(id64), Container{}},
		{"/kubepods/podinfo/x", Container{}},
	} {
		if got := ParseContainer(tt.path); got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tt.path, got, tt.want)
		}
	}
}

func FuzzParseContainer(f *testing.F) {
	f.Add("/kubepods.slice/kubepods-burstable-pod" + uidU + ".slice/cri-containerd-" + id64 + ".scope")
	f.Add("/system.slice/containerd.service/kubepods-pod" + uidU + ".slice:cri-containerd:" + id64)
	f.Add("/kubelet.slice/kubelet-kubepods-pod" + uidU + ".slice/crio-" + id64 + ".scope")
	f.Add("/kubepods/pod" + uid + "/" + id64)
	f.Add("/lxc/a\x1b[2J/b")
	f.Add(":/-pod::.scope//")
	f.Fuzz(func(t *testing.T, path string) {
		c := ParseContainer(path)
		if c.ID != "" && !strings.Contains(path, c.ID) {
			t.Errorf("%q: id %q is not in the path", path, c.ID)
		}
		if c.PodUID != "" && (len(c.PodUID) != 36 && len(c.PodUID) != 32 || !strings.Contains(strings.ReplaceAll(path, "_", "-"), "pod"+c.PodUID)) {
			t.Errorf("%q: pod uid %q is not one, or not in the path", path, c.PodUID)
		}
	})
}

func TestParseProcCgroup(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"v2", "0::/system.slice/ssh.service\n", "/system.slice/ssh.service"},
		{"v2 root", "0::/\n", "/"},
		{"v1", "9:name=systemd:/system.slice/cron.service\n4:memory:/x\n1:cpu:/\n", "/system.slice/cron.service"},
		{"hybrid, v2 says nothing", "9:name=systemd:/\n4:memory:/jobs/7\n0::/\n", "/jobs/7"},
		{"hybrid, both", "1:name=systemd:/a\n0::/b\n", "/b"},
		{"v1 docker", "5:pids:/docker/" + id64 + "\n1:name=systemd:/init.scope\n0::/\n", "/docker/" + id64},
		{"colons in the path", "0::/a:b:c\n", "/a:b:c"},
		{"nothing", "", ""},
		{"damaged", "0:\nx\n", ""},
	} {
		if got := parseProcCgroup([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	const rest = " S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 81237 1 1 1\n"
	for _, tt := range []struct {
		in, comm string
		start    uint64
	}{
		{"7 (nginx)" + rest, "nginx", 81237},
		{"7 (a) b (c)" + rest, "a) b (c", 81237},
		{"7 (\x1b[2J\n)" + rest, "\x1b[2J\n", 81237},
		{"7 ()" + rest, "", 81237},
	} {
		got, err := parseStat([]byte(tt.in))
		if err != nil || got.comm != tt.comm || got.start != tt.start {
			t.Errorf("%q: %+v, %v", tt.in, got, err)
		}
	}
	for _, in := range []string{"", "7 nginx S 1", "7 (nginx) S 1", ")(", "7 (x)" + strings.Replace(rest, "81237", "-", 1)} {
		if got, err := parseStat([]byte(in)); err == nil {
			t.Errorf("%q: no error, %+v", in, got)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b (c) S 1 7 7 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 81237 1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = parseStat(b)
		_ = parseProcCgroup(b)
		_ = cgroup2Mounts(string(b))
		_, _ = parseLink(b, "socket:[")
	})
}

func TestCgroup2Mount(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"1 2 0:1 / /own rw - cgroup2 c rw\n1 2 0:1 /../.. /whole rw - cgroup2 c rw\n", "/whole"},
		{"30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup"},
		{"1 2 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n2 2 0:2 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/unified"},
		{"1 2 0:1 /docker/x /a rw - cgroup2 c rw\n1 2 0:1 / /b\\040c rw - cgroup2 c rw\n", "/b c"},
		{"1 2 0:1 / /proc rw - proc proc rw\n", ""},
	} {
		whole := func(point string) bool { return point == "/whole" }
		if got, is := chooseMount(cgroup2Mounts(tt.text), whole); got.point != tt.want || is != (tt.want == "/whole") {
			t.Errorf("%q: got %+v, whole: %v; want %q", tt.text, got, is, tt.want)
		}
	}
}

func TestFromRoot(t *testing.T) {
	for _, tt := range []struct {
		path, way string
		known     bool
		want      string
	}{
		{"/system.slice/ssh.service", "", true, "/system.slice/ssh.service"}, // on the host
		{"/", "", true, "/"},
		{"/../../system.slice/ssh.service", "/../..", true, "/system.slice/ssh.service"},
		{"/../..", "/../..", true, "/"},
		{"/", "/../..", true, ""},            // the container itself
		{"/../libpod-x", "/../..", true, ""}, // beside it
		{"/../libpod-x", "", false, ""},      // the host's root is not mounted here
		{"/system.slice", "", false, "/system.slice"},
	} {
		if got := fromRoot(tt.path, tt.way, tt.known); got != tt.want {
			t.Errorf("%q by %q: got %q, want %q", tt.path, tt.way, got, tt.want)
		}
	}
}

// TestCgroupsOfAContainer: where only a part of the hierarchy is mounted, the path
// of a cgroup beside it is not known.
func TestCgroupsOfAContainer(t *testing.T) {
	all := newCgroups("/proc/self/mountinfo")
	defer all.close()
	if os.Geteuid() != 0 || all.mount < 0 {
		t.Skip("needs root, and cgroup v2")
	}
	if !isWhole(all.at) {
		t.Skipf("%s is not the whole hierarchy: this is a container", all.at)
	}
	inode := map[string]uint64{}
	for _, name := range []string{"katrace-test-own", "katrace-test-own/child", "katrace-test-other"} {
		dir := filepath.Join(all.at, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		var st unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			t.Fatal(err)
		}
		inode[name] = st.Ino
	}
	part := filepath.Join(t.TempDir(), "part")
	if err := os.Mkdir(part, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(filepath.Join(all.at, "katrace-test-own"), part, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(part, 0); err != nil {
			t.Error(err)
		}
	})
	info := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(info, []byte("1 2 0:1 / "+part+" rw - cgroup2 c rw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCgroups(info)
	defer c.close()
	for name, want := range map[string]string{"katrace-test-own": "/", "katrace-test-own/child": "/child", "katrace-test-other": ""} {
		if got, _ := c.find(inode[name], 0); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
