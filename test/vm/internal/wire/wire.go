// SPDX-License-Identifier: BSD-2-Clause

// Package wire is what a guest and the program that booted it say to each
// other: a plan that the guest finds in its initramfs, and frames on a
// virtio-serial port. A port of its own keeps a command's output byte-exact:
// no console driver turns LF into CRLF in it, and no kernel message lands in
// the middle of a line.
package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// PortName is the virtio-serial port's name, as in /sys/class/virtio-ports/*/name.
const PortName = "org.katrace.guest"

// PlanPath is where the guest finds its Plan.
const PlanPath = "/etc/katrace-guest.json"

// Plan is what a guest is to do.
type Plan struct {
	Modules  []Module  `json:"modules"`            // in the order of loading
	Mounts   []Mount   `json:"mounts,omitempty"`   // behind the guest's own, or instead of the one on the same directory
	Settings []Setting `json:"settings,omitempty"` // written before the first command
	Without  []string  `json:"without,omitempty"`  // of Facilities, those that this guest is to lack
	Memory   bool      `json:"memory,omitempty"`   // the host gives access to the kernel's memory
	Commands []Command `json:"commands"`
}

// Facilities are what a guest has unless its plan says that it is to lack them.
// A guest that has what it is to lack is of no use either.
var Facilities = []string{"btf", "tracefs", "kprobes", "ipv6"}

// Mount is a file system to mount. The type "bind" binds Source to Dir.
type Mount struct {
	Type    string `json:"type"`
	Source  string `json:"source"`
	Dir     string `json:"dir"`
	Options string `json:"options,omitempty"` // of the file system, as mount(2) has them
}

// Setting is a text to write to a file of the kernel's, and to read back.
type Setting struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Module is a kernel module in the initramfs.
type Module struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	Required bool   `json:"required"` // a guest that cannot load it is of no use
}

// Command is one command, run to its end before the next one starts.
type Command struct {
	Args []string `json:"args"`
	Env  []string `json:"env,omitempty"` // KEY=value, beside the guest's own
}

// Kind is a frame's type.
type Kind byte

// The frames a guest sends, in the order of their coming: one Hello, then for
// each command Start, output and Exit, then Done. KernelLog comes at any time.
// After Done the guest waits for one byte, the sign that all has been read,
// and powers off. To Memory, and to nothing else, the host answers with a frame.
const (
	KindHello     Kind = 'H' // Hello as JSON
	KindStart     Kind = 'S' // Start as JSON
	KindStdout    Kind = 'O' // bytes
	KindStderr    Kind = 'E' // bytes
	KindExit      Kind = 'X' // Exit as JSON
	KindKernelLog Kind = 'K' // one record of /dev/kmsg as text, with a line feed
	KindMemory    Kind = 'M' // memory.Request as JSON; the host's is memory.Reply
	KindDone      Kind = 'D' // Done as JSON
)

// Hello tells that the guest is up.
type Hello struct {
	Release  string   `json:"release"`            // uname -r
	Uptime   float64  `json:"uptime"`             // seconds by the guest's clock
	Problems []string `json:"problems,omitempty"` // what makes this guest useless
	Notes    []string `json:"notes,omitempty"`    // what is worth a line in the log
}

// Start tells that a command starts.
type Start struct {
	Index int `json:"index"` // in Plan.Commands
}

// Exit tells how a command ended.
type Exit struct {
	Index   int     `json:"index"`
	Status  int     `json:"status"`          // as a shell has it: 127 not found, 128+n killed by signal n
	Error   string  `json:"error,omitempty"` // why it did not run, or did not end by itself
	Seconds float64 `json:"seconds"`         // by the guest's clock
}

// Done tells that the last command has ended.
type Done struct {
	Tainted uint64 `json:"tainted"` // /proc/sys/kernel/tainted
}

// maxPayload bounds a frame's payload in bytes: what is longer is damage.
const maxPayload = 1 << 20

// Writer writes frames; it may be used from several goroutines.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter makes a Writer on w. Each frame is one Write, unless it is longer
// than a frame may be and goes out in parts.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Bytes sends payload in as many frames as it takes, none for an empty one.
func (w *Writer) Bytes(kind Kind, payload []byte) error {
	const part = 32 << 10
	for len(payload) > 0 {
		n := min(len(payload), part)
		if err := w.frame(kind, payload[:n]); err != nil {
			return err
		}
		payload = payload[n:]
	}
	return nil
}

// JSON sends v as one frame.
func (w *Writer) JSON(kind Kind, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.frame(kind, payload)
}

func (w *Writer) frame(kind Kind, payload []byte) error {
	buf := make([]byte, 0, 5+len(payload))
	buf = append(buf, byte(kind))
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(payload)))
	buf = append(buf, payload...)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.w.Write(buf)
	return err
}

// Reader reads frames.
type Reader struct{ r *bufio.Reader }

// NewReader makes a Reader on r.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 64<<10)} }

// Next reads one frame. Its error is io.EOF at a clean end only.
func (r *Reader) Next() (Kind, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxPayload {
		return 0, nil, fmt.Errorf("frame %q of %d bytes: the guest's port is out of step", head[0], n)
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(r.r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	return Kind(head[0]), payload, nil
}
