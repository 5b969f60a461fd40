// SPDX-License-Identifier: BSD-2-Clause

// Package logfile writes lines to a file for as long as it takes: the file may be
// rotated away, the disk may be full for a while. What cannot be written is counted.
package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"katrace/internal/conn"
)

// Options say how the file is kept.
type Options struct {
	Path string
	Mode fs.FileMode // of a file that is made, whatever the umask; 0: 0600
	Size int64       // bytes above which the file is rotated; 0: others rotate it, or nobody
	Keep int         // rotated files that are kept: Path.1 is the latest
	Say  io.Writer   // where trouble and its end are reported, a line each; nil: nowhere
}

// retryEvery is how long nothing is tried after the disk refused a write.
const retryEvery = time.Second

// File is a file of lines. Its methods are for one goroutine; Reopen and Lost
// may be called from any.
type File struct {
	o     Options
	file  file
	size  int64 // of the file when this one last wrote, or looked
	open  func(Options) (file, int64, error)
	now   func() time.Time
	sleep func(time.Duration)

	rest    []byte    // of the line that the file has the beginning of
	begun   int64     // the bytes of that beginning
	torn    bool      // the file ends within a line of which nobody has the rest
	failing error     // of the latest write; nil: it was written
	retry   time.Time // where failing: when the next write is tried
	before  uint64    // Lost when it began to fail
	trouble string    // what was reported last about the file's name

	lost   atomic.Uint64
	reopen atomic.Bool
}

// file is an os.File.
type file interface {
	io.WriteCloser
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
}

// Open opens the file to append to it.
func Open(o Options) (*File, error) {
	f := &File{o: o, open: openFile, now: time.Now, sleep: time.Sleep}
	var err error
	if f.file, f.size, err = f.open(o); err != nil {
		return nil, err
	}
	f.torn = f.endsWithin()
	return f, nil
}

// endsWithin says that the file ends within a line: whoever wrote it was killed, or the
// machine lost its power. What cannot be read is taken to be whole.
func (f *File) endsWithin() bool {
	info, err := f.file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	in, err := os.OpenFile(f.o.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be another file by now
	if err != nil {
		return false
	}
	defer func() { _ = in.Close() }()
	named, err := in.Stat()
	if err != nil || !os.SameFile(info, named) {
		return false
	}
	var last [1]byte
	_, err = in.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

func openFile(o Options) (file, int64, error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	mode := o.Mode
	if mode == 0 {
		mode = 0o600
	}
	f, err := os.OpenFile(o.Path, flags|os.O_EXCL, mode)
	switch {
	case err == nil:
		err = f.Chmod(mode) // the umask has no say
	case errors.Is(err, fs.ErrExist):
		f, err = os.OpenFile(o.Path, flags, mode)
	}
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Write writes whole lines. Lines that the disk does not take are counted, and
// are no error; where that happens, nothing is tried for a second. The error of a
// pipe that nobody reads any more is one.
func (f *File) Write(lines []byte) (int, error) {
	n, err := f.write(lines)
	f.lost.Add(uint64(bytes.Count(lines[n:], []byte{'\n'})))
	if errors.Is(err, syscall.EPIPE) {
		return n, err
	}
	return len(lines), nil
}

// WriteLine writes a line, and says whether it did. If not, it is not counted.
func (f *File) WriteLine(line []byte) bool {
	n, _ := f.write(line)
	return n == len(line)
}

// write writes as many whole lines as it can, and the end of a line that was
// begun before. It returns how much of lines is in the file, or will be.
func (f *File) write(lines []byte) (int, error) {
	if f.failing != nil && f.now().Before(f.retry) {
		return 0, f.failing
	}
	if err := f.finish(); err != nil {
		return 0, f.fail(err)
	}
	f.rotate(len(lines))
	n, err := f.file.Write(lines)
	f.size += int64(n)
	if err == nil {
		f.works()
		return n, nil
	}
	if n > 0 && lines[n-1] != '\n' {
		end := len(lines)
		if i := bytes.IndexByte(lines[n:], '\n'); i >= 0 {
			end = n + i + 1
		}
		f.begun = int64(n - 1 - bytes.LastIndexByte(lines[:n], '\n'))
		f.rest, n = bytes.Clone(lines[n:end]), end
	}
	return n, f.fail(err)
}

// finish ends the line that the file has the beginning of: with its rest or, where
// nobody has that, with a newline. Where somebody else has written behind the
// beginning, or cut it off, the line is lost.
func (f *File) finish() error {
	if info, err := f.file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() != f.size {
		f.giveUp()
		f.size, f.torn = info.Size(), f.endsWithin()
		// While somebody else's write is under way the file grows page by page.
		for tries := 0; f.torn && tries < 10; tries++ {
			f.sleep(time.Millisecond)
			if info, err := f.file.Stat(); err == nil {
				f.size, f.torn = info.Size(), f.endsWithin()
			}
		}
	}
	if f.torn {
		n, err := f.file.Write([]byte{'\n'})
		f.size, f.torn = f.size+int64(n), err != nil
		return err
	}
	if len(f.rest) == 0 {
		return nil
	}
	n, err := f.file.Write(f.rest)
	f.size, f.begun, f.rest = f.size+int64(n), f.begun+int64(n), f.rest[n:]
	return err
}

// WriteWhole writes a line or, where there is an error, nothing of it. It is for who
// gives up then.
func (f *File) WriteWhole(line []byte) error {
	_, err := f.write(line)
	if err != nil {
		f.giveUp()
	}
	return err
}

// Stat is of the file that is written.
func (f *File) Stat() (fs.FileInfo, error) { return f.file.Stat() }

func (f *File) fail(err error) error {
	if f.failing == nil {
		f.before = f.lost.Load()
		f.say("--log-file: %v: what cannot be written is counted as lost, and writing is tried again every second", err)
	}
	f.failing, f.retry = err, f.now().Add(retryEvery)
	return err
}

func (f *File) works() {
	if f.failing != nil {
		f.failing = nil
		f.say("--log-file: %s is written again; lines lost: %d", f.o.Path, f.lost.Load()-f.before)
	}
}

// Lost is how many lines could not be written.
func (f *File) Lost() uint64 { return f.lost.Load() }

// Reopen makes the next Check open the file by its name, whatever it is by then.
func (f *File) Reopen() { f.reopen.Store(true) }

// Asked says that Reopen was called, and Check was not since.
func (f *File) Asked() bool { return f.reopen.Load() }

// Check opens the file again if its name means another file by now, or none. It
// is called once a second.
func (f *File) Check() {
	if asked := f.reopen.Swap(false); !asked && f.isNamed() {
		return
	}
	next, size, err := f.open(f.o)
	if err != nil {
		f.troubled(fmt.Sprintf("%v: the file that had this name is still written", err))
		return
	}
	f.troubled("")
	f.giveUp()
	_ = f.file.Close()
	f.file, f.size, f.retry = next, size, time.Time{}
	f.torn = f.endsWithin()
}

// giveUp takes the beginning of a line that will have no end from the file, and
// counts the line.
func (f *File) giveUp() {
	if len(f.rest) == 0 {
		return
	}
	f.lost.Add(1)
	f.rest = nil
	// Only if it is the end: somebody else may have written to the file.
	if info, err := f.file.Stat(); err == nil && info.Mode().IsRegular() && info.Size() == f.size {
		_ = f.file.Truncate(f.size - f.begun)
	}
}

// isNamed says that the file still has its name.
func (f *File) isNamed() bool {
	have, err := f.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.o.Path)
	return err == nil && os.SameFile(have, named)
}

// Close writes what is left of a line, and closes the file.
func (f *File) Close() error {
	if len(f.rest) > 0 && f.finish() != nil {
		f.giveUp()
	}
	return f.file.Close()
}

// troubled reports what is wrong with the file's name, once.
func (f *File) troubled(what string) {
	if what != "" && what != f.trouble {
		f.say("--log-file: %s", what)
	}
	f.trouble = what
}

func (f *File) say(format string, args ...any) {
	if f.o.Say != nil {
		fmt.Fprintf(f.o.Say, "katrace: %s\n", conn.Safe(fmt.Sprintf(format, args...)))
	}
}
