// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/muesli/cancelreader"
	"golang.org/x/sys/unix"
)

// file is an opened recording.
type file struct {
	name string
	info os.FileInfo // nil: not known
	in   io.Reader
	// waits: reading may wait for whoever writes it, as for a pipe.
	waits bool
	close func()
}

// openFile opens the recording with that name; "-" is standard input. Reading ends
// with ctx, also while it waits.
func openFile(ctx context.Context, name string) (*file, error) {
	if name == "-" {
		return newFile(ctx, name, os.Stdin), nil
	}
	// Without O_NONBLOCK the opening of a FIFO waits for its writer.
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return newFile(ctx, name, f), nil
}

func newFile(ctx context.Context, name string, f *os.File) *file {
	info, err := f.Stat()
	waits := err != nil || !info.Mode().IsRegular()
	r, err := cancelreader.NewReader(f)
	if err != nil { // a regular file, which epoll(7) does not take: reading never waits
		return &file{name: name, info: info, in: f, waits: waits, close: func() { _ = f.Close() }}
	}
	stop := context.AfterFunc(ctx, func() { r.Cancel() })
	return &file{name: name, info: info, in: r, waits: waits, close: func() {
		stop()
		_ = r.Close()
		_ = f.Close()
	}}
}

// same says that what is in one of them is in the other.
func (f *file) same(other *file) bool {
	return f.info != nil && other.info != nil && f.info.Mode()&os.ModeCharDevice == 0 && os.SameFile(f.info, other.info)
}

// The first bytes of what is compressed.
var (
	gzipMagic = []byte{0x1f, 0x8b}             // RFC 1952, 2.3.1
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878, 3.1.1
)

// maxWindow is how far back compressed data may refer, in bytes: what zstd(1)
// itself takes without being asked.
const maxWindow = 128 << 20

// unpacked is the recording without its compression, if it has one.
func unpacked(in io.Reader) (io.Reader, func(), error) {
	b := bufio.NewReader(in)
	head, _ := b.Peek(len(zstdMagic)) // what is shorter is not compressed
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		return z, func() {}, nil
	case bytes.Equal(head, zstdMagic):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return z, z.Close, nil
	}
	return b, func() {}, nil
}
