// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// archive is apt with a state of its own: nothing is installed, and the
// machine's lists and sources stay as they are. Its lists stay in the cache,
// where the next update finds most of them unchanged.
type archive struct {
	dir  string // absolute
	arch string
}

// machineConf is the machine's apt configuration, which may name a proxy.
const machineConf = "/etc/apt/apt.conf.d"

// openArchive sets apt up for a target's series and architecture in dir.
func openArchive(dir string, m mirror, t target) (*archive, error) {
	keys, err := keyring()
	if err != nil {
		return nil, err
	}
	a := &archive{dir, t.arch}
	parts := filepath.Join(dir, "conf.d")
	if err := os.RemoveAll(parts); err != nil {
		return nil, err
	}
	for _, d := range []string{parts, filepath.Join(dir, "state/lists/partial"), filepath.Join(dir, "cache/archives/partial")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, err
		}
	}
	// Ours comes last, and can so undo hooks that rebuild the machine's own caches.
	entries, _ := os.ReadDir(machineConf)
	for _, e := range entries {
		if err := os.Symlink(filepath.Join(machineConf, e.Name()), filepath.Join(parts, e.Name())); err != nil {
			return nil, err
		}
	}
	var sources strings.Builder
	add := func(uri string, suites []string) {
		for _, suite := range suites {
			fmt.Fprintf(&sources, "deb [arch=%s signed-by=%s] %s %s main\n", t.arch, keys, uri, suite)
		}
	}
	add(m.main, t.suites)
	add(m.security, t.security)
	for name, text := range map[string]string{
		"status":            "",
		"sources.list":      sources.String(),
		"apt.conf":          fmt.Sprintf("Dir::Etc::parts %q;\n", parts),
		"conf.d/zz-katrace": a.conf(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *archive) conf() string {
	return strings.NewReplacer("DIR", a.dir, "ARCH", a.arch).Replace(`
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "ARCH";
APT::Architectures { "ARCH"; };
APT::Sandbox::User "root";
Dir::State "DIR/state";
Dir::State::status "DIR/status";
Dir::Cache "DIR/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "DIR/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
`)
}

// command makes a command of apt's that runs in the directory in.
func (a *archive) command(ctx context.Context, in, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C")
	return cmd
}

// update brings the lists up to date. apt-get ends with status 0 where a
// source did not answer and old lists are there: that is made an error here.
func (a *archive) update(ctx context.Context) error {
	_, err := output(a.command(ctx, a.dir, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update"))
	return err
}

// kernels lists the archive's kernel packages.
func (a *archive) kernels(ctx context.Context) ([]pkg, error) {
	files, err := output(a.command(ctx, a.dir, "apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"))
	if err != nil {
		return nil, err
	}
	var all []pkg
	for file := range strings.FieldsSeq(files) {
		cmd := a.command(ctx, a.dir, "/usr/lib/apt/apt-helper", "cat-file", file)
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		some, parseErr := readPackages(pipe, func(name string) bool {
			_, ok := kernelRelease(name)
			return ok || strings.HasPrefix(name, "linux-modules-")
		})
		if err := errors.Join(parseErr, cmd.Wait()); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// errGone is the error of a package that the archive lists and does not have.
var errGone = errors.New("the archive lists it and does not have it")

// notFound is how apt says that a server answered with status 404.
var notFound = regexp.MustCompile(` 404 +Not Found`)

// download puts the packages' .deb files into the directory to.
func (a *archive) download(ctx context.Context, r release, to string) ([]string, error) {
	args := []string{"-q", "download"}
	for _, name := range r.packages {
		args = append(args, name+"="+r.version)
	}
	if _, err := output(a.command(ctx, to, "apt-get", args...)); err != nil {
		if notFound.MatchString(err.Error()) {
			return nil, fmt.Errorf("%s: %w", r.packages[0], errGone)
		}
		return nil, err
	}
	debs, err := filepath.Glob(filepath.Join(to, "*.deb"))
	if err == nil && len(debs) != len(r.packages) {
		err = fmt.Errorf("apt-get download brought %d files for %d packages", len(debs), len(r.packages))
	}
	return debs, err
}

// output runs a command and returns what it wrote to stdout. The error holds
// the end of what it said.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, all strings.Builder
	cmd.Stdout = writers{&stdout, &all}
	cmd.Stderr = &all
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, lastLines(all.String(), 15))
	}
	return stdout.String(), nil
}
