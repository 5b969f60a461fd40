// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// mostBTF bounds a file of raw BTF, in bytes: a kernel's has some 10 MiB. An ELF
// file, of which only a section is read, may be larger.
const mostBTF = 128 << 20

// TypesFrom reads a kernel's BTF from a file that the user names: raw, or the
// section of an ELF file. Anything but a regular file is refused: a device may
// have no end, and a FIFO may never have a writer.
func TypesFrom(file string) (*btf.Spec, error) {
	spec, err := typesFrom(file)
	if err != nil {
		return nil, fmt.Errorf("read BTF from %q: %w", file, err)
	}
	return spec, nil
}

func typesFrom(file string) (*btf.Spec, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	magic := make([]byte, len(elf.ELFMAG))
	if _, err := f.ReadAt(magic, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if st.Size() > mostBTF && !bytes.Equal(magic, []byte(elf.ELFMAG)) {
		return nil, fmt.Errorf("%d bytes: no kernel's BTF is larger than %d", st.Size(), mostBTF)
	}
	return btf.LoadSpecFromReader(io.NewSectionReader(f, 0, st.Size()))
}
