// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"katrace/test/vm/internal/wire"
)

// initramfs writes a cpio archive in the format "newc", as the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst describes it. It
// is not compressed: an emulated machine unpacks slower than it reads.
type initramfs struct {
	w    *bufio.Writer
	size int64
	ino  int
	dirs map[string]bool
}

// The bits of a cpio entry's mode.
const (
	cpioDir  = 0o040000
	cpioFile = 0o100000
	cpioChar = 0o020000
)

func newInitramfs(w io.Writer) *initramfs {
	return &initramfs{w: bufio.NewWriterSize(w, 256<<10), dirs: map[string]bool{".": true, "/": true}}
}

// file adds a file with the directories above it.
func (a *initramfs) file(name string, mode fs.FileMode, size int64, content io.Reader) error {
	if err := a.parents(name); err != nil {
		return err
	}
	return a.entry(name, cpioFile|uint32(mode.Perm()), [2]uint32{}, size, content)
}

func (a *initramfs) text(name, text string) error {
	return a.file(name, 0o644, int64(len(text)), strings.NewReader(text))
}

// copy adds a file, or a directory with all that is in it, from this machine.
func (a *initramfs) copy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		if err := a.parents(path.Join(to, "x")); err != nil {
			return err
		}
		for _, e := range entries {
			if err := a.copy(filepath.Join(from, e.Name()), path.Join(to, e.Name())); err != nil {
				return err
			}
		}
		return nil
	}
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.file(to, info.Mode(), info.Size(), f)
}

// parents adds the directories above name that are not there yet.
func (a *initramfs) parents(name string) error {
	var missing []string
	for dir := path.Dir(path.Clean("/" + name)); !a.dirs[dir]; dir = path.Dir(dir) {
		missing = append(missing, dir)
		a.dirs[dir] = true
	}
	for _, dir := range slices.Backward(missing) {
		if err := a.entry(dir, cpioDir|0o755, [2]uint32{}, 0, nil); err != nil {
			return err
		}
	}
	return nil
}

func (a *initramfs) entry(name string, mode uint32, device [2]uint32, size int64, content io.Reader) error {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if size > 1<<32-1 {
		return fmt.Errorf("%s: %d bytes are too many for an initramfs", name, size)
	}
	a.ino++
	// magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor, namesize, check
	n, err := fmt.Fprintf(a.w, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.ino, mode, 0, 0, 1, 0, size, 0, 0, device[0], device[1], len(name)+1, 0, name)
	a.size += int64(n)
	if err != nil {
		return err
	}
	if err := a.pad(); err != nil {
		return err
	}
	if content != nil {
		copied, err := io.CopyN(a.w, content, size)
		a.size += copied
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return a.pad()
}

// pad fills up to a multiple of four bytes.
func (a *initramfs) pad() error {
	n := int(-a.size & 3)
	a.size += int64(n)
	_, err := a.w.WriteString("\x00\x00\x00"[:n])
	return err
}

// close ends the archive.
func (a *initramfs) close() error {
	if err := a.entry("TRAILER!!!", 0, [2]uint32{}, 0, nil); err != nil {
		return err
	}
	return a.w.Flush()
}

// shipped is a file or directory of this machine that goes into a guest.
type shipped struct{ from, to string }

// writeInitramfs writes a guest's initramfs to path: init, the plan,
// the kernel's modules that it names, and the files.
func writeInitramfs(path, init string, k *kernel, plan wire.Plan, files []shipped) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	a := newInitramfs(f)
	if err := a.parents("/dev/console"); err != nil {
		return err
	}
	// What process 1 has as its standard streams (console_on_rootfs).
	if err := a.entry("/dev/console", cpioChar|0o600, [2]uint32{5, 1}, 0, nil); err != nil {
		return err
	}
	if err := a.copy(init, "/init"); err != nil {
		return err
	}
	for _, m := range plan.Modules {
		if err := a.copy(k.moduleFile(m.Name), m.Path); err != nil {
			return err
		}
	}
	text, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	for _, t := range []struct{ name, text string }{
		{wire.PlanPath, string(text)},
		{"/etc/hosts", "127.0.0.1 localhost guest\n::1 localhost\n"},
		{"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"},
		{"/etc/group", "root:x:0:\nnogroup:x:65534:\n"},
		{"/root/.keep", ""},
	} {
		if err := a.text(t.name, t.text); err != nil {
			return err
		}
	}
	for _, s := range files {
		if err := a.copy(s.from, s.to); err != nil {
			return err
		}
	}
	return a.close()
}
