// SPDX-License-Identifier: BSD-2-Clause

// Package loader brings katrace's programs into the kernel and their records
// out of it: it finds out what this kernel allows, chooses the backend, loads,
// attaches, reads the ring buffer and counts what was lost. It knows no sink.
package loader

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// Options say what to attach. The zero value traces everything by the best
// backend there is.
type Options struct {
	Backend  Backend // "" is Auto
	All      bool    // uneventful firings, zero-window probes, plain closes
	ExactRTT bool    // time answers when they come, by a look at received segments
	Filter   conn.SocketFilter
	Closes   bool // tell when a connection closes that was told of, also one that was not probed; All implies it
	NoDrops  bool // do not tell of segments that this host drops
	// Quiet: no record of what changes nothing (events.Event.Change), which leaves
	// All and Closes without effect. RecordUntold makes up for it.
	Quiet    bool
	Counting bool   // Tracer.Counts is going to be asked
	RingSize uint32 // bytes, a power of two times the page size; 0: 16 MiB, with Quiet 8 MiB
	// Follow is how many connections with probes are followed at once; 0: 1,048,576,
	// or 65,536 before 6.1 and on PREEMPT_RT, where the memory for all of them is
	// taken at the start.
	Follow uint32
	BTF    string // file with the kernel's BTF, "": the kernel's own

	// trial: only whether it loads and attaches is asked. The maps are as
	// small as can be.
	trial bool
}

func (o *Options) closes() bool { return (o.All || o.Closes) && !o.Quiet }

// Tracer is a set of attached programs and the ring buffer they fill.
type Tracer struct {
	Backend Backend
	Facts   Facts // what it can know on this kernel
	// Passed says why better backends were passed over, one error each.
	Passed []error
	// Lacks says in words what is not known, for the backend or this kernel
	// has no hook for it.
	Lacks []string
	// Began is when the first program was about to be attached: no record is older.
	Began time.Time
	// Slow is why fields are read by calls (LoadReading) although the kernel has
	// bpf_rdonly_cast, nil otherwise.
	Slow error
	// Unwitnessed is why firings that the kernel runs no program for cannot be
	// counted, nil where they are.
	Unwitnessed error

	coll  *ebpf.Collection
	links []attached // held: an unreferenced link is detached by the garbage collector
	ring  *ring
	// drained is when Read last found the ring empty.
	drained time.Time
	loss    lossReader
	code    code
}

type attached struct {
	hook hook
	link link.Link
	prog *ebpf.Program
}

// Open loads and attaches. Errors that mean "not on this kernel, not with
// these privileges" wrap ErrUnsupported.
func Open(o Options) (*Tracer, error) {
	// Kernels before 5.11 charge maps to RLIMIT_MEMLOCK. Without the right to
	// raise it, loading says so.
	_ = rlimit.RemoveMemlock()

	go func() { _, _ = kernelSymbols() }() // it takes longer than what follows
	types, err := KernelTypes(o.BTF)
	if err != nil {
		return nil, err
	}
	tries := []Backend{o.Backend}
	if o.Backend == Auto || o.Backend == "" {
		tries = Backends()
	}
	var passed []error
	for _, b := range tries {
		t, err := open(b, &o, types)
		if err == nil {
			t.Passed = passed
			return t, nil
		}
		passed = append(passed, fmt.Errorf("%s: %w", b, err))
		if !errors.Is(err, ErrUnsupported) {
			return nil, passed[len(passed)-1]
		}
	}
	if len(passed) == 1 {
		return nil, passed[0]
	}
	return nil, &UnsupportedError{Doing: "no backend can be attached here", Err: joined(passed)}
}

// joined is why each backend was passed over, an indented line each.
type joined []error

func (j joined) Error() string {
	var b strings.Builder
	for _, err := range j {
		b.WriteString("\n  " + err.Error())
	}
	b.WriteString("\n'katrace doctor' says more.")
	return b.String()
}

func (j joined) Unwrap() []error { return j }

func open(b Backend, o *Options, types *btf.Spec) (_ *Tracer, err error) {
	t := &Tracer{Backend: b}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	t.Facts, t.Lacks = b.factsHere(types), b.lacksHere(types)
	s := readSwitches()
	if err := s.canFire(hooksOf(b, o)); err != nil {
		return nil, err
	}
	hs, err := t.present(hooksOf(b, o), o, types, s)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(hs, hook.byTracing); b == Fentry {
		// A kernel that refuses this one refuses all. With small maps that shows sooner.
		if err := tryHook(b, o, hs[i], types); err != nil {
			return nil, err
		}
	}
	if t.coll, t.Slow, err = load(b, o, hs, types); err != nil {
		return nil, err
	}
	if t.ring, err = openRing(t.coll.Maps[katraceMapRing]); err != nil {
		return nil, fmt.Errorf("map the ring buffer: %w", err)
	}
	t.Began = time.Now()
	for _, h := range hs {
		prog := t.coll.Programs[h.prog]
		l, err := h.attach(prog)
		if err != nil && h.gives != "" {
			t.Lacks = append(t.Lacks, h.gives)
			continue
		}
		if err != nil {
			return nil, err
		}
		t.links = append(t.links, attached{h, l, prog})
	}
	t.loss = lossReader{vars: t.coll.Variables, links: t.links}
	t.code = openCode(types)
	if t.Unwitnessed = t.openWitnesses(); t.Unwitnessed != nil {
		t.Lacks = append(t.Lacks, lacksWitness)
	}
	return t, nil
}

const lacksWitness = "firings that the kernel runs no BPF program for"

// openWitnesses counts what the programs should see, as far as that can be had.
// The links have to be there.
func (t *Tracer) openWitnesses() error {
	addr, err := functionAddress("tcp_keepalive_timer")
	if err == nil {
		t.loss.firings, err = openWitness("timer/timer_expire_entry", fmt.Sprintf("function==%#x", addr), t.coll.Variables[katraceVarSeenFirings])
	}
	var resets error
	t.loss.resets, resets = openWitness("tcp/tcp_receive_reset", "", t.coll.Variables[katraceVarSeenResets])
	return errors.Join(err, resets)
}

// present leaves out the hooks on functions that this kernel does not have, if
// they may lack, and takes the second best where the best cannot be: the
// kernel would refuse to load a program for them, and all others with it. The best
// ones are all attached in the same way: what is true of the first holds for all. (Where
// ftrace detaches, it waits for all tasks to pass a quiescent state: on a busy machine long.)
func (t *Tracer) present(hs []hook, o *Options, types *btf.Spec, s switches) ([]hook, error) {
	var there []hook
	var trial error
	tried := false
	for _, h := range hs {
		if h.spare != nil && h.spare(types) {
			continue
		}
		if h.instead != nil {
			usable := h.isThere(types)
			if usable && !tried {
				trial, tried = tryHook(t.Backend, o, h, types), true
				if trial != nil && !errors.Is(trial, ErrUnsupported) {
					return nil, trial
				}
			}
			usable = usable && trial == nil
			if !usable {
				h = *h.instead
			}
		}
		if h.gives != "" && (!h.isThere(types) || s.silenced(h) != "") {
			t.Lacks = append(t.Lacks, h.gives)
			continue
		}
		if err := h.notThere(types); err != nil {
			return nil, err
		}
		there = append(there, h)
	}
	return there, nil
}

// load loads the programs of hs and the maps they use. slow is why the programs
// that read by loads were refused.
func load(b Backend, o *Options, hs []hook, types *btf.Spec) (coll *ebpf.Collection, slow, err error) {
	spec, err := object()
	if err != nil {
		return nil, nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	wanted := map[string]bool{}
	for _, h := range hs {
		wanted[h.prog] = true
	}
	for name := range spec.Programs {
		if !wanted[name] {
			delete(spec.Programs, name)
		}
	}
	for _, p := range spec.Programs {
		// Kernels from 5.0 on do not look at it. Without one the library would
		// look for the kernel's in /proc/self/mem, which is not open to a
		// process that has its capabilities from its file.
		p.KernelVersion = 1
	}
	setSizes(spec, o, types)
	if err := setVariables(spec, b, o, types); err != nil {
		return nil, nil, err
	}
	coll, slow, err = LoadReading(spec, o.BTF, types)
	if slow != nil {
		slow = refused("load the faster programs", slow, hs...)
	}
	if err != nil {
		return nil, nil, refused("load the programs", err, hs...)
	}
	return coll, slow, nil
}

// quietRing is enough where few records are made: for two of each of 25,600
// connections that fall silent at once, as of 500,000 whose timers of some seconds
// expire in steps of a quarter of a second.
const quietRing = 8 << 20

// setSizes sets how much the maps hold.
func setSizes(spec *ebpf.CollectionSpec, o *Options, types *btf.Spec) {
	ring := spec.Maps[katraceMapRing]
	tables := []*ebpf.MapSpec{spec.Maps[katraceMapFollowed], spec.Maps[katraceMapByTuple], spec.Maps[katraceMapTold]}
	switch {
	case o.trial:
		ring.MaxEntries = uint32(os.Getpagesize())
		for _, m := range tables {
			m.MaxEntries = 1
		}
		return
	case o.RingSize != 0:
		ring.MaxEntries = o.RingSize
	case o.Quiet:
		ring.MaxEntries = quietRing
	}
	for _, m := range tables {
		if hasSafeAllocation(types) && !isRealTime(types) {
			m.Flags |= noPrealloc
			m.MaxEntries = 1 << 20
		}
		if o.Follow != 0 {
			m.MaxEntries = o.Follow
		}
	}
	if !o.closes() {
		spec.Maps[katraceMapTold].MaxEntries = 1
	}
}

const noPrealloc = 1 // BPF_F_NO_PREALLOC

func setVariables(spec *ebpf.CollectionSpec, b Backend, o *Options, types *btf.Spec) error {
	hz, err := jiffies.Read()
	if err != nil {
		return err
	}
	vars := map[string]any{
		katraceVarAll:          b2u(o.All && !o.Quiet),
		katraceVarQuiet:        b2u(o.Quiet),
		katraceVarCounting:     b2u(o.Counting),
		katraceVarCloses:       b2u(o.closes()),
		katraceVarExactRtt:     b2u(o.ExactRTT),
		katraceVarDropParams:   uint8(dropParameters(types)),
		katraceVarDrops:        b2u(!o.NoDrops),
		katraceVarFilter:       kernelFilter(&o.Filter),
		katraceVarHz:           uint32(hz),
		katraceVarPidNamespace: pidNamespace(),
	}
	switch b {
	case Auto: // one was chosen by now
	case Tracepoint:
		addr, err := functionAddress("tcp_keepalive_timer")
		if err != nil {
			return err
		}
		vars[katraceVarKeepaliveTimerAddr] = addr
	case Kprobe, Fentry:
		param, err := resetReasonParam(types)
		if err != nil {
			return err
		}
		vars[katraceVarResetReasonParam] = param
	}
	for name, value := range vars {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

// Wake makes a waiting Read return what is there and then ErrFlushed. It is the
// only method that may be called while another goroutine is in Read.
func (t *Tracer) Wake() { t.ring.wake() }

// Stop detaches everything. Read returns what is left in the ring buffer, and
// then ErrFlushed.
func (t *Tracer) Stop() {
	t.loss.stop()
	t.detach()
	t.Wake()
}

func (t *Tracer) detach() {
	for _, a := range slices.Backward(t.links) {
		_ = a.link.Close()
	}
	t.links = nil
}

// Close detaches everything and gives all memory back.
func (t *Tracer) Close() {
	t.detach()
	t.loss.close()
	t.code.close()
	if t.ring != nil {
		t.ring.close()
	}
	if t.coll != nil {
		t.coll.Close()
	}
}
