// SPDX-License-Identifier: BSD-2-Clause

// Package podman lets tests run real containers: Debian's podman with runc, as root
// and without, from an image that holds nothing but what the test puts there. All of
// it lives in a mount namespace and a directory of the test's own, and is gone after
// the test. Nothing is fetched.
package podman

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Image is the only one there is.
const Image = "localhost/katrace-test:1"

// Engine runs containers as one user.
type Engine struct {
	User  string // "": root
	home  string
	uid   int
	run   string // XDG_RUNTIME_DIR
	slice string // the cgroup that systemd would have given the user, below the mount
}

// Root runs containers as root.
func Root() *Engine { return &Engine{home: "/root", run: "/run"} }

// Rootless runs containers as Ann, who has a cgroup of her own, as systemd delegates
// it, and subordinate ids.
func Rootless(t *testing.T) *Engine {
	t.Helper()
	e := &Engine{User: annName, uid: annUID, home: annHome(), run: filepath.Join(scratch(), "run-ann"), slice: annSlice}
	return e
}

// Import makes the image of these files, by their paths in it.
func (e *Engine) Import(t *testing.T, files map[string]string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "image.tar")
	if err := writeTar(name, files); err != nil {
		t.Fatal(err)
	}
	if e.User != "" { // who may not look into the test's directory
		mine := filepath.Join(e.home, "image.tar")
		if err := errors.Join(os.Rename(name, mine), os.Chown(mine, e.uid, e.uid)); err != nil {
			t.Fatal(err)
		}
		name = mine
	}
	e.Do(t, "import", name, Image)
}

func writeTar(name string, files map[string]string) (err error) {
	out, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	w := tar.NewWriter(out)
	defer func() { err = errors.Join(err, w.Close()) }()
	for path, from := range files {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		st, err := f.Stat()
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o755, Size: st.Size()})
		}
		if err == nil {
			_, err = io.Copy(w, f)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Container is a running one.
type Container struct {
	e        *Engine
	ID, Name string
	PID      int    // of its first process, on the host
	Cgroup   string // its path
}

// StartAny starts a container of the image with these flags, which may end at once. It
// is removed when the test ends.
func (e *Engine) StartAny(t *testing.T, name string, flags []string, command ...string) *Container {
	t.Helper()
	args := append(append(append([]string{"run", "-d", "--name", name}, limits...), flags...), Image)
	c := &Container{e: e, Name: name, ID: strings.TrimSpace(e.Do(t, append(args, command...)...))}
	t.Cleanup(func() { e.Do(t, "rm", "-f", "-t0", name) })
	return c
}

// Running says whether it runs.
func (c *Container) Running(t *testing.T) bool {
	t.Helper()
	return strings.TrimSpace(c.e.Do(t, "inspect", "-f", "{{.State.Running}}", c.Name)) == "true"
}

// Status is the exit status of one that has ended.
func (c *Container) Status(t *testing.T) int {
	t.Helper()
	status, err := strconv.Atoi(strings.TrimSpace(c.e.Do(t, "inspect", "-f", "{{.State.ExitCode}}", c.Name)))
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// Start starts a container that goes on until the test ends.
func (e *Engine) Start(t *testing.T, name string, flags []string, command ...string) *Container {
	t.Helper()
	c := e.StartAny(t, name, flags, command...)
	pid, err := strconv.Atoi(strings.TrimSpace(e.Do(t, "inspect", "-f", "{{.State.Pid}}", name)))
	if err != nil || pid == 0 {
		said, errs := c.Logs(t)
		t.Fatalf("%s: pid %d, %v: %s%s", name, pid, err, said, errs)
	}
	c.PID = pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			c.Cgroup = strings.TrimSuffix(path, "\n")
		}
	}
	return c
}

// Logs is what it has written so far.
func (c *Container) Logs(t *testing.T) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, status := c.e.finish(t, "logs", c.Name)
	if status != 0 {
		t.Fatalf("logs of %s: %s", c.Name, stderr)
	}
	return stdout, stderr
}

// Do gives one of podman's commands the container.
func (c *Container) Do(t *testing.T, command ...string) { c.e.Do(t, append(command, c.Name)...) }

// Run runs a container of the image to its end.
func (e *Engine) Run(t *testing.T, flags []string, command ...string) (stdout, stderr string, status int) {
	t.Helper()
	args := append(append(append([]string{"run", "--rm"}, limits...), flags...), Image)
	return e.finish(t, append(args, command...)...)
}

// Do runs one of podman's commands and returns what it wrote.
func (e *Engine) Do(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, status := e.finish(t, args...)
	if status != 0 {
		t.Fatalf("podman %q: status %d: %s", args, status, stderr)
	}
	return stdout
}

// finish runs podman to its end.
func (e *Engine) finish(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	// Not the test's own context: it is over when the test cleans up.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := e.command(ctx, args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("podman %q: %v\n%s", args, err, errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// limits are what a container may use; runc refuses what the host's own limits do
// not allow, and a controller that cgroup v1 has.
var limits = []string{"--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", "--pids-limit", "0"}

func (e *Engine) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "podman", append([]string{"--runtime", "runc", "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "none"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + e.home, "TMPDIR=/var/tmp"}
	cmd.Dir = e.home
	cmd.WaitDelay = 5 * time.Second
	if e.User != "" {
		cmd.Env = append(cmd.Env, "USER="+e.User, "XDG_RUNTIME_DIR="+e.run, "TMPDIR="+e.home)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(e.uid), Gid: uint32(e.uid)}}
		if dir, err := os.Open(filepath.Join(cgroupRoot, e.slice, "app")); err == nil {
			context.AfterFunc(ctx, func() { _ = dir.Close() })
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		}
	}
	return cmd
}
