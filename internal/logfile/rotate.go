// SPDX-License-Identifier: BSD-2-Clause

package logfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// rotate makes the file the first of the rotated ones if it has no room for more
// bytes. Where that fails the file grows on, and it is tried again at the next write.
func (f *File) rotate(more int) {
	if f.o.Size <= 0 || f.size == 0 || f.size+int64(more) <= f.o.Size || !f.isRegular() {
		return
	}
	var err error
	if f.isNamed() { // else it was moved, maybe before the disk had no room for the next file
		err = f.shift()
	}
	if err == nil {
		err = f.next()
	}
	if err != nil {
		f.troubled(fmt.Sprintf("rotate: %v", err))
	}
}

func (f *File) isRegular() bool {
	info, err := f.file.Stat()
	return err == nil && info.Mode().IsRegular()
}

// shift renames Path.1 to Path.2 and so on, which removes the last, and Path to
// Path.1. Each rename alone leaves no name without a file that had one.
func (f *File) shift() error {
	if f.o.Keep == 0 {
		return os.Remove(f.o.Path)
	}
	for i := f.o.Keep; i > 0; i-- {
		if err := os.Rename(f.numbered(i-1), f.numbered(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// numbered is the name of the i-th rotated file; 0: of the file itself.
func (f *File) numbered(i int) string {
	if i == 0 {
		return f.o.Path
	}
	return fmt.Sprintf("%s.%d", f.o.Path, i)
}

func (f *File) next() error {
	next, size, err := f.open(f.o)
	if err != nil {
		return err
	}
	_ = f.file.Close()
	f.file, f.size = next, size
	f.torn = f.endsWithin()
	f.troubled("")
	return nil
}
