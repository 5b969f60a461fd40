// SPDX-License-Identifier: BSD-2-Clause

package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a file on a disk with room for so many bytes more.
type disk struct {
	*os.File
	room *int
	err  error
}

func (d disk) Write(p []byte) (int, error) {
	n := min(len(p), *d.room)
	*d.room -= n
	if n, err := d.File.Write(p[:n]); err != nil {
		return n, err
	}
	if n < len(p) {
		return n, d.err
	}
	return n, nil
}

// on is a File on such a disk, whose clock stands still, and what it says.
func on(t *testing.T, room *int, err error, o Options) (f *File, said *bytes.Buffer, clock *time.Time) {
	t.Helper()
	said, clock = new(bytes.Buffer), new(time.Time)
	*clock = time.Unix(1e9, 0)
	o.Say = said
	f = &File{o: o, now: func() time.Time { return *clock }, sleep: func(time.Duration) {}, open: func(o Options) (file, int64, error) {
		f, size, openErr := openFile(o)
		if openErr != nil {
			return nil, 0, openErr
		}
		return disk{f.(*os.File), room, err}, size, nil
	}}
	var openErr error
	if f.file, f.size, openErr = f.open(o); openErr != nil {
		t.Fatal(openErr)
	}
	return f, said, clock
}

func write(t *testing.T, f *File, lines ...string) {
	t.Helper()
	text := strings.Join(lines, "\n") + "\n"
	if n, err := f.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("Write: %d, %v", n, err)
	}
}

func want(t *testing.T, path, text string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("%s has %q, %v; want %q", filepath.Base(path), got, err, text)
	}
}

// TestFullDisk: lines that the disk does not take are counted, each once; one that
// was begun is finished first; nothing is tried for a second.
func TestFullDisk(t *testing.T) {
	for _, err := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS, unix.EFBIG} {
		path := filepath.Join(t.TempDir(), "log")
		room := 7
		f, said, clock := on(t, &room, err, Options{Path: path})
		write(t, f, "one", "two", "three", "four")
		want(t, path, "one\ntwo")
		if f.Lost() != 2 {
			t.Errorf("%v: %d lost, want three and four", err, f.Lost())
		}
		room = 1000
		write(t, f, "five") // not yet a second later
		if f.WriteLine([]byte("six\n")) || f.Lost() != 3 {
			t.Errorf("%v: a line was written at once, or %d are lost, want 3", err, f.Lost())
		}
		*clock = clock.Add(retryEvery)
		write(t, f, "seven", "eight")
		want(t, path, "one\ntwo\nseven\neight\n")
		if !f.WriteLine([]byte("nine\n")) || f.Lost() != 3 {
			t.Errorf("%v: a line is not written, or %d are lost, want 3", err, f.Lost())
		}
		for _, words := range []string{err.Error(), "is written again; lines lost: 3"} {
			if strings.Count(said.String(), words) != 1 {
				t.Errorf("%v: said %q, want %q once", err, said, words)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestClosedPipe: a reader that has gone is an error, as it is for standard output.
func TestClosedPipe(t *testing.T) {
	room := 0
	f, _, _ := on(t, &room, unix.EPIPE, Options{Path: filepath.Join(t.TempDir(), "log")})
	if _, err := f.Write([]byte("one\n")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%v, want EPIPE", err)
	}
	if f.Lost() != 1 {
		t.Errorf("%d lost", f.Lost())
	}
}

// TestRenamed: a file that was renamed, removed or replaced is opened again by its
// name, and one that was not is not.
func TestRenamed(t *testing.T) {
	for name, away := range map[string]func(path string) error{
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"removed": os.Remove,
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte("there\n"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			f, err := Open(Options{Path: path, Mode: 0o640})
			if err != nil {
				t.Fatal(err)
			}
			write(t, f, "one")
			before := f.file
			if f.Check(); f.file != before {
				t.Fatal("it was opened again though its name is its own")
			}
			if err := away(path); err != nil {
				t.Fatal(err)
			}
			f.Check()
			write(t, f, "two")
			text := "two\n"
			if name == "replaced" {
				text = "there\n" + text
			}
			want(t, path, text)
			if info, err := os.Stat(path); name != "replaced" && (err != nil || info.Mode() != 0o640) {
				t.Errorf("%v, %v: want 0640", info.Mode(), err)
			}
		})
	}
}

// TestReopenAsked opens the file again although it has its name: what a mount over
// its directory hides, say, only the operator knows.
func TestReopenAsked(t *testing.T) {
	f, err := Open(Options{Path: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	before := f.file
	f.Reopen()
	if !f.Asked() {
		t.Error("not asked")
	}
	if f.Check(); f.file == before || f.Asked() {
		t.Error("it was not opened again")
	}
}

// TestNoDirectory: the file that was renamed is written on until there is another.
func TestNoDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log")
	room := 1000
	f, said, _ := on(t, &room, nil, Options{Path: path})
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.Check()
	}
	write(t, f, "one")
	want(t, filepath.Join(dir+".old", "log"), "one\n")
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("said %d times: %q", n, said)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.Check()
	write(t, f, "two")
	want(t, path, "two\n")
}

// TestRotate: no file is larger than it may be, the latest are kept, and all lines
// are there in their order.
func TestRotate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f, err := Open(Options{Path: path, Size: 10, Keep: 3})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		write(t, f, fmt.Sprintf("line%d", i)) // 6 bytes: one a file
	}
	var names []string
	_ = filepath.WalkDir(filepath.Dir(path), func(path string, d fs.DirEntry, _ error) error {
		if !d.IsDir() {
			names = append(names, d.Name())
		}
		return nil
	})
	if want := []string{"log", "log.1", "log.2", "log.3"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	for i, name := range []string{"log", "log.1", "log.2", "log.3"} {
		want(t, filepath.Join(filepath.Dir(path), name), fmt.Sprintf("line%d\n", 9-i))
	}
	// One that was there before counts with what it has.
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err = Open(Options{Path: path, Size: 10, Keep: 3}); err != nil {
		t.Fatal(err)
	}
	write(t, f, "next")
	want(t, path+".1", "line9\n")
	// And so does what somebody else writes to it.
	other, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	write(t, other, "by")
	write(t, f, "last")
	want(t, path+".1", "next\nby\n")
}

// TestNotRotated: what is no regular file is left where it is, and one that cannot
// be renamed grows on.
func TestNotRotated(t *testing.T) {
	f, err := Open(Options{Path: "/dev/null", Size: 1, Keep: 1})
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, "one")
	write(t, f, "two")
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	if err := os.MkdirAll(filepath.Join(path+".1", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	room := 1000
	f, said, _ := on(t, &room, nil, Options{Path: path, Size: 1, Keep: 1})
	for range 3 {
		write(t, f, "one")
	}
	want(t, path, "one\none\none\n")
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("said %d times: %q", n, said)
	}
}

// TestRotateWithoutNext: where the file was moved and the next one cannot be made,
// the rotated ones are not moved again by each write until they are gone.
func TestRotateWithoutNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	room := 1000
	f, said, _ := on(t, &room, nil, Options{Path: path, Size: 6, Keep: 3})
	write(t, f, "line0")
	write(t, f, "line1")
	write(t, f, "line2")
	makes := f.open
	f.open = func(Options) (file, int64, error) { return nil, 0, unix.EDQUOT }
	for n := 3; n < 8; n++ {
		write(t, f, fmt.Sprintf("line%d", n))
	}
	want(t, path+".1", "line2\nline3\nline4\nline5\nline6\nline7\n")
	want(t, path+".2", "line1\n")
	want(t, path+".3", "line0\n")
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("said %d times: %q", n, said)
	}
	f.open = makes
	write(t, f, "line8")
	want(t, path, "line8\n")
	want(t, path+".3", "line0\n")
}
