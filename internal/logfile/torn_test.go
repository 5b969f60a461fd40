// SPDX-License-Identifier: BSD-2-Clause

package logfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTornLine: the disk is full again within the rest of a line.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	room := 2
	f, _, clock := on(t, &room, unix.ENOSPC, Options{Path: path})
	write(t, f, "0123456789")
	for range 3 {
		room = 3
		*clock = clock.Add(retryEvery)
		write(t, f, "abc")
	}
	want(t, path, "0123456789\n")
	if f.Lost() != 3 { // each "abc"
		t.Errorf("%d lost, want 3", f.Lost())
	}
	room = 2
	*clock = clock.Add(retryEvery)
	write(t, f, "abc")
	if _ = f.Close(); f.Lost() != 4 {
		t.Errorf("%d lost, want the torn line too", f.Lost())
	}
	want(t, path, "0123456789\n")
}

// TestWholeLine: a line is written whole or not at all, also where somebody else writes
// to the file; what they wrote after it stays.
func TestWholeLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	room := 1000
	f, _, clock := on(t, &room, unix.ENOSPC, Options{Path: path})
	other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, give := range []int{0, 1, 3, 4} {
		if _, err := other.WriteString("other\n"); err != nil {
			t.Fatal(err)
		}
		room = give
		*clock = clock.Add(retryEvery)
		if err := f.WriteWhole([]byte("abc\n")); (err == nil) != (give == 4) {
			t.Errorf("room for %d bytes: %v", give, err)
		}
		text := strings.Repeat("other\n", i+1)
		if give == 4 {
			text += "abc\n"
		}
		want(t, path, text)
	}
	if f.Lost() != 2 { // of which a part was written
		t.Errorf("%d lost", f.Lost())
	}
	// The rest of a torn line is not cut from what came behind it.
	room = 2
	*clock = clock.Add(retryEvery)
	write(t, f, "torn")
	if _, err := other.WriteString("behind\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "\ntobehind\n") {
		t.Errorf("%q, %v", text, err)
	}
}

// TestTornBefore: a file that ends within a line, as a crash leaves it, goes on with the
// next line, also where another file takes the name and where its disk is full.
func TestTornBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	ends := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ends(path, "who")
	f, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, "one")
	write(t, f, "two")
	want(t, path, "who\none\ntwo\n")
	ends(path+".new", "ha")
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	room := 0
	f.Check()
	f.file = disk{f.file.(*os.File), &room, unix.ENOSPC}
	if f.WriteLine([]byte("three\n")) {
		t.Error("written to a full disk")
	}
	room, f.retry = 1000, time.Time{}
	write(t, f, "four")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, path, "ha\nfour\n")
	if f, err = Open(Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	write(t, f, "five")
	want(t, path, "ha\nfour\nfive\n")
}

// TestTornByOthers: a line that was begun has no end, and is counted, where somebody
// else has written behind its beginning, or has cut it off.
func TestTornByOthers(t *testing.T) {
	for what, tt := range map[string]struct{ text, want string }{
		"behind":  {"tobehind\n", "tobehind\n"},
		"cut off": {"", ""},
	} {
		for _, closed := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "log")
			room := 2
			f, _, clock := on(t, &room, unix.ENOSPC, Options{Path: path})
			write(t, f, "torn")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			room = 1000
			*clock = clock.Add(retryEvery)
			next := "next\n"
			if closed {
				next = ""
				_ = f.Close()
			} else {
				write(t, f, "next")
			}
			want(t, path, tt.want+next)
			if f.Lost() != 1 {
				t.Errorf("%s, closed %t: %d lost", what, closed, f.Lost())
			}
		}
	}
}

// TestTornBeside: of two that write to one file, one has begun a line for which its disk
// has no room. The other's lines are whole, and the begun one is counted.
func TestTornBeside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	room := 2
	f, _, clock := on(t, &room, unix.ENOSPC, Options{Path: path})
	other, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, "torn")
	write(t, other, "one")
	write(t, other, "two")
	want(t, path, "to\none\ntwo\n")
	room = 1000
	*clock = clock.Add(retryEvery)
	write(t, f, "next")
	if err := other.WriteWhole([]byte("three\n")); err != nil {
		t.Error(err)
	}
	want(t, path, "to\none\ntwo\nnext\nthree\n")
	if f.Lost() != 1 || other.Lost() != 0 {
		t.Errorf("%d lost, want 1; of the other %d", f.Lost(), other.Lost())
	}
}

// TestBesideAWrite: what somebody else is writing just now grows page by page, and is no
// line that was torn.
func TestBesideAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	room := 1000
	f, _, _ := on(t, &room, nil, Options{Path: path})
	grow := func(text string) {
		t.Helper()
		other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = other.WriteString(text)
		}
		if err = errors.Join(err, other.Close()); err != nil {
			t.Fatal(err)
		}
	}
	grow("o")
	pages := []string{"th", "er\n"}
	f.sleep = func(time.Duration) {
		if len(pages) > 0 {
			grow(pages[0])
			pages = pages[1:]
		}
	}
	write(t, f, "one")
	write(t, f, "two")
	want(t, path, "other\none\ntwo\n")
}

// TestTornLineRotated: the file is renamed, or opened again, while it has the
// beginning of a line: each file has whole lines only.
func TestTornLineRotated(t *testing.T) {
	for _, renamed := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "log")
		room := 6
		f, _, clock := on(t, &room, unix.ENOSPC, Options{Path: path})
		write(t, f, "one", "two", "three") // of "two" the beginning is in the file
		room = 1
		*clock = clock.Add(retryEvery)
		write(t, f, "four") // "o" as well
		old := path
		if renamed {
			old = path + ".1"
			if err := os.Rename(path, old); err != nil {
				t.Fatal(err)
			}
		} else {
			f.Reopen()
		}
		room = 1000
		f.Check()
		want(t, old, "one\n")
		write(t, f, "five")
		if renamed {
			want(t, path, "five\n")
		} else {
			want(t, path, "one\nfive\n")
		}
		if f.Lost() != 3 { // two, three and four
			t.Errorf("%d lost, want 3", f.Lost())
		}
	}
}
