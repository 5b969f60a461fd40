// SPDX-License-Identifier: BSD-2-Clause

package podman

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	insideEnv  = "KATRACE_TEST_PODMAN_INSIDE" // the scratch directory
	cgroupRoot = "/sys/fs/cgroup"

	// Tracing is where tracefs is mounted.
	Tracing = "/sys/kernel/tracing"

	annName  = "katrace-ann"
	annUID   = 64999
	annSlice = "user.slice/user-64999.slice/user@64999.service"
)

func scratch() string { return os.Getenv(insideEnv) }
func annHome() string { return filepath.Join(scratch(), "ann") }

// Main runs the tests in a mount namespace of their own, with cgroup v2 alone, with
// empty directories for podman's storage, and with a user Ann; and in a network
// namespace of their own. It needs root. Its result is for os.Exit.
func Main(m *testing.M) int {
	status, err := inside(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "prepare for podman:", err)
		return 2
	}
	return status
}

func inside(m *testing.M) (status int, err error) {
	if scratch() != "" {
		if err := prepare(); err != nil {
			return 0, err
		}
		return m.Run(), nil
	}
	// Not below /tmp, which may be a tmpfs that is too small.
	dir, err := os.MkdirTemp("/var/tmp", "katrace-podman-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	defer removeCgroups()
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Env = append(os.Environ(), insideEnv+"="+dir)
	self.Stdin, self.Stdout, self.Stderr = os.Stdin, os.Stdout, os.Stderr
	self.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := self.Run(); self.ProcessState == nil {
		return 0, err
	}
	return self.ProcessState.ExitCode(), nil
}

func prepare() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &fs); err != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		_ = unix.Unmount(cgroupRoot, unix.MNT_DETACH)
		if err := unix.Mount("none", cgroupRoot, "cgroup2", 0, ""); err != nil {
			return fmt.Errorf("mount cgroup v2: %w", err)
		}
	}
	if _, err := os.Stat(Tracing + "/events"); err != nil {
		if err := unix.Mount("none", Tracing, "tracefs", 0, ""); err != nil {
			return fmt.Errorf("mount tracefs: %w", err)
		}
	}
	for _, dir := range []string{"/var/lib/containers", "/run/containers", "/run/libpod"} {
		if err := cover(dir); err != nil {
			return err
		}
	}
	return makeAnn()
}

// cover puts an empty directory over one.
func cover(dir string) error {
	empty := filepath.Join(scratch(), strings.ReplaceAll(dir, "/", "_"))
	if err := errors.Join(os.MkdirAll(empty, 0o755), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	if err := unix.Mount(empty, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dir, err)
	}
	return nil
}

// makeAnn makes the user in this mount namespace alone.
func makeAnn() error {
	for name, line := range map[string]string{
		"passwd": fmt.Sprintf("%s:x:%d:%d::%s:/bin/sh\n", annName, annUID, annUID, annHome()),
		"group":  fmt.Sprintf("%s:x:%d:\n", annName, annUID),
		"subuid": annName + ":700000:65536\n",
		"subgid": annName + ":700000:65536\n",
	} {
		text, err := os.ReadFile("/etc/" + name)
		if err != nil {
			return err
		}
		own := filepath.Join(scratch(), name)
		if err := os.WriteFile(own, append(text, line...), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(own, "/etc/"+name, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount %s: %w", own, err)
		}
	}
	for _, dir := range []string{annHome(), filepath.Join(scratch(), "run-ann"), filepath.Join(cgroupRoot, annSlice), filepath.Join(cgroupRoot, annSlice, "app")} {
		if err := os.MkdirAll(dir, 0o755); err != nil { // root's above it, which she has to pass
			return err
		}
		if err := os.Chown(dir, annUID, annUID); err != nil {
			return err
		}
	}
	for _, file := range []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads", "app/cgroup.procs"} {
		if err := os.Chown(filepath.Join(cgroupRoot, annSlice, file), annUID, annUID); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes what is left of the cgroups that containers were in: those
// above them, which podman leaves, and of a rootless one the process that keeps its
// user namespace. It runs outside, where the hierarchy may be mounted elsewhere.
func removeCgroups() {
	for _, root := range []string{cgroupRoot, cgroupRoot + "/unified"} {
		// Fails where no test was rootless.
		if os.WriteFile(filepath.Join(root, annSlice, "cgroup.kill"), []byte("1"), 0) == nil {
			for range 100 {
				if text, _ := os.ReadFile(filepath.Join(root, annSlice, "cgroup.events")); !strings.Contains(string(text), "populated 1") {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
		}
		for _, top := range []string{annSlice, "libpod_parent", "kubepods"} {
			var dirs []string
			_ = filepath.WalkDir(filepath.Join(root, top), func(path string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for i := len(dirs) - 1; i >= 0; i-- {
				_ = os.Remove(dirs[i]) // one that is in use stays
			}
			for dir := filepath.Dir(filepath.Join(root, top)); dir != root && strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
				_ = os.Remove(dir)
			}
		}
	}
}
