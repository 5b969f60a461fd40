// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// kernel is a kernel in the cache, ready to boot.
type kernel struct {
	Format  int      `json:"format"`
	Series  string   `json:"series"`
	Flavour string   `json:"flavour"`
	Arch    string   `json:"arch"`
	Version string   `json:"version"` // of the Debian package
	Modules []module `json:"modules"`
	Wanted  []string `json:"wanted"` // the names that modules were collected for, sorted

	dir string
}

// kernelFormat is raised when what lies in a kernel's directory changes.
const kernelFormat = 2

func (k *kernel) vmlinuz() string { return filepath.Join(k.dir, "vmlinuz") }

// String names the kernel as the archive does.
func (k *kernel) String() string { return k.Version + " " + k.Flavour + " " + k.Arch }

// store fetches kernels and keeps them.
type store struct {
	dir     string
	refresh bool      // ask the archive even if it was asked today
	say     io.Writer // progress
}

// resolution remembers what the newest version that could be had was on a day.
type resolution struct {
	Date    string `json:"date"` // UTC
	Version string `json:"version"`
}

// get returns a target's newest kernel with the base modules and more ones, from
// the cache where the archive was asked today, or where the archive is out of reach.
func (st *store) get(ctx context.Context, t target, more []string) (*kernel, error) {
	unlock, err := lockCache(st.dir)
	if err != nil {
		return nil, err
	}
	defer unlock()

	today := time.Now().UTC().Format(time.DateOnly)
	last, lastErr := st.lastResolution(t)
	var cached *kernel
	if lastErr == nil {
		cached = st.cached(last.Version, t, more)
	}
	if cached != nil && last.Date == today && !st.refresh {
		fmt.Fprintf(st.say, "kernel %s: %s (asked the archive today; -refresh asks again)\n", t, cached)
		return cached, nil
	}
	k, err := st.fetch(ctx, t, more, today)
	if err == nil {
		return k, nil
	}
	if cached != nil && ctx.Err() == nil {
		fmt.Fprintf(st.say, "WARNING: kernel %s: the archive could not be asked: %v\n"+
			"WARNING: kernel %s: going on with %s, the newest on %s: THERE MAY BE A NEWER ONE\n", t, err, t, cached, last.Date)
		return cached, nil
	}
	return nil, fmt.Errorf("kernel %s: %w", t, err)
}

// fetch asks the archive and gets what the cache lacks.
func (st *store) fetch(ctx context.Context, t target, more []string, today string) (*kernel, error) {
	m, err := findMirror(ctx)
	if err != nil {
		return nil, err
	}
	a, err := openArchive(filepath.Join(st.dir, "apt-"+t.name+"-"+t.arch), m, t)
	if err != nil {
		return nil, err
	}
	if err := a.update(ctx); err != nil {
		return nil, err
	}
	packages, err := a.kernels(ctx)
	if err != nil {
		return nil, err
	}
	releases, err := findReleases(packages, t)
	if err != nil {
		return nil, err
	}
	k, err := firstToHave(releases, st.say, func(r release) (*kernel, error) {
		if k := st.cached(r.version, t, more); k != nil {
			fmt.Fprintf(st.say, "kernel %s: %s (in the cache, and still the newest)\n", t, k)
			return k, nil
		}
		start := time.Now()
		k, err := st.unpack(ctx, a, t, r, more)
		if err == nil {
			fmt.Fprintf(st.say, "kernel %s: %s (fetched and unpacked in %.1f s)\n", t, k, time.Since(start).Seconds())
		}
		return k, err
	})
	if err != nil {
		return nil, err
	}
	return k, writeJSON(st.resolutionFile(t), resolution{today, k.Version})
}

// firstToHave gets the first release that can be had: an archive may list
// versions that it does not have (yet, or any more).
func firstToHave(releases []release, say io.Writer, get func(release) (*kernel, error)) (*kernel, error) {
	var gone error
	for _, r := range releases {
		k, err := get(r)
		if !errors.Is(err, errGone) {
			return k, err
		}
		fmt.Fprintf(say, "WARNING: %v: going on with the next older version\n", err)
		gone = err
	}
	return nil, gone
}

// unpack downloads a release's packages and keeps vmlinuz and the modules:
// those that other runs wanted as well.
func (st *store) unpack(ctx context.Context, a *archive, t target, r release, more []string) (*kernel, error) {
	names := wantedNames(more)
	if before := st.cached(r.version, t, nil); before != nil {
		names = wantedNames(append(before.Wanted, more...))
	}
	work, err := os.MkdirTemp(st.dir, "unpack-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	debs, err := a.download(ctx, r, work)
	if err != nil {
		return nil, err
	}
	tree := filepath.Join(work, "tree")
	for _, deb := range debs {
		if _, err := output(exec.CommandContext(ctx, "dpkg-deb", "-x", deb, tree)); err != nil {
			return nil, err
		}
	}
	ready := filepath.Join(work, "ready")
	if err := os.Mkdir(ready, 0o755); err != nil {
		return nil, err
	}
	image, err := findVmlinuz(tree)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(image, filepath.Join(ready, "vmlinuz")); err != nil {
		return nil, err
	}
	modules, err := collectModules(ctx, tree, ready, names, more)
	if err != nil {
		return nil, err
	}
	k := &kernel{
		Format:  kernelFormat,
		Series:  t.name,
		Flavour: t.flavour,
		Arch:    t.arch,
		Version: r.version,
		Modules: modules,
		Wanted:  names,
		dir:     st.kernelDir(r.version, t),
	}
	if err := writeJSON(filepath.Join(ready, "kernel.json"), k); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(k.dir); err != nil {
		return nil, err
	}
	return k, os.Rename(ready, k.dir)
}

// cached returns a kernel that the cache holds with these modules, or nil.
func (st *store) cached(version string, t target, more []string) *kernel {
	k := &kernel{}
	dir := st.kernelDir(version, t)
	if err := readJSON(filepath.Join(dir, "kernel.json"), k); err != nil || k.Format != kernelFormat {
		return nil
	}
	for _, name := range wantedNames(more) {
		if !slices.Contains(k.Wanted, name) {
			return nil
		}
	}
	k.dir = dir
	return k
}

func (st *store) kernelDir(version string, t target) string {
	return filepath.Join(st.dir, version+"-"+t.flavour+"-"+t.arch)
}

func (st *store) resolutionFile(t target) string {
	return filepath.Join(st.dir, "newest-"+t.name+"-"+t.flavour+"-"+t.arch+".json")
}

func (st *store) lastResolution(t target) (r resolution, err error) {
	err = readJSON(st.resolutionFile(t), &r)
	return r, err
}

// findVmlinuz finds the one kernel in an unpacked tree: /boot/vmlinuz-RELEASE
// up to 6.18, /usr/lib/modules/RELEASE/vmlinuz later.
func findVmlinuz(tree string) (string, error) {
	var found []string
	for _, pattern := range []string{"boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz", "lib/modules/*/vmlinuz"} {
		paths, err := filepath.Glob(filepath.Join(tree, pattern))
		if err != nil {
			return "", err
		}
		found = append(found, paths...)
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d files called vmlinuz in the package, want 1", len(found))
	}
	return found[0], nil
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}

// writeJSON replaces path in one step.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	tmp := path + ".new"
	return errors.Join(os.WriteFile(tmp, append(text, '\n'), 0o644), os.Rename(tmp, path))
}
