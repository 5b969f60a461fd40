// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// witness counts how often a tracepoint is passed without any BPF program: by
// perf events that only count, one a processor. There are kernels, those of
// some sandboxes, that run no program while certain tasks are current and do not
// count that (Program.Stats stays short); and a kprobe that is switched off by
// debugfs or by kernel.ftrace_enabled is silent as well. What the programs
// saw is held against the witness; the difference is what was missed.
type witness struct {
	fds  []counter
	seen *ebpf.Variable // how often a program saw the same, by processor
	// base is what seen was when the counting began.
	base   bySlot
	missed uint64 // as far as is certain
}

// counter is a perf event of one processor.
type counter struct{ cpu, fd int }

// bySlot is a count by processor, as the programs keep it (bpf/maps.h): a
// processor that comes later, or comes back (the kernel does not put its event
// back), must not hide what was missed on another.
type bySlot [katraceSeenSlots]uint64

const katraceSeenSlots = 512 // SEEN_SLOTS

// openWitness begins to count. filter is one of tracefs ("function==0xffff…"), ""
// for none. It needs CAP_PERFMON (or CAP_SYS_ADMIN) and tracefs, for the
// tracepoint's number; where tracefs is not mounted CAP_SYS_ADMIN serves.
func openWitness(tracepoint, filter string, seen *ebpf.Variable) (_ *witness, err error) {
	w := &witness{seen: seen}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	id, err := tracepointID(tracepoint)
	if err != nil {
		return nil, err
	}
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_TRACEPOINT, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config: id, Bits: unix.PerfBitDisabled}
	for _, cpu := range cpus {
		fd, err := unix.PerfEventOpen(&attr, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if errors.Is(err, unix.ENODEV) {
			continue // it went offline
		}
		if err != nil {
			return nil, fmt.Errorf("count %s: perf_event_open: %w", tracepoint, err)
		}
		w.fds = append(w.fds, counter{cpu, fd})
		if filter == "" {
			continue
		}
		text := append([]byte(filter), 0)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(&text[0]))); errno != 0 {
			return nil, fmt.Errorf("count %s: filter %q: %w", tracepoint, filter, errno)
		}
	}
	if err := w.begin(); err != nil {
		return nil, err
	}
	return w, nil
}

// begin starts the counters. It looks for a moment at which nothing passes, so
// that the counters and what the programs saw begin at the same firing. Where
// there is none, what passes meanwhile counts as seen: missed may be too small
// by that, never too large.
func (w *witness) begin() error {
	if err := w.seen.Get(&w.base); err != nil {
		return err
	}
	for _, c := range w.fds {
		if err := unix.IoctlSetInt(c.fd, unix.PERF_EVENT_IOC_ENABLE, 0); err != nil {
			return fmt.Errorf("start counting: %w", err)
		}
	}
	for range 100 {
		before, err := w.count()
		if err != nil {
			return err
		}
		var seen bySlot
		if err := w.seen.Get(&seen); err != nil {
			return err
		}
		after, err := w.count()
		if err != nil {
			return err
		}
		if before == after {
			for i := range seen {
				w.base[i] = max(w.base[i], seen[i]-before[i])
			}
			return nil
		}
	}
	return nil
}

// count reads the counters.
func (w *witness) count() (counts bySlot, err error) {
	var buf [8]byte
	for _, c := range w.fds {
		n, err := unix.Read(c.fd, buf[:])
		if err != nil {
			return counts, fmt.Errorf("read a perf event's count: %w", err)
		}
		if n != len(buf) { // 0: its processor is gone
			continue
		}
		counts[c.cpu%len(counts)] += binary.NativeEndian.Uint64(buf[:])
	}
	return counts, nil
}

// underway is how long a program is waited for that has been passed by the
// witness: the first is longer than it takes, the second longer than a virtual
// machine's processor, or a thread that does softirqs, usually stands still.
var underway = [...]time.Duration{0, 2 * time.Millisecond, 20 * time.Millisecond}

// read is how many firings no program saw, as far as is certain: the witness is
// asked first, and those under way by then are waited for.
func (w *witness) read() (uint64, error) {
	if w == nil {
		return 0, nil
	}
	counted, err := w.count()
	if err != nil {
		return 0, err
	}
	var missed uint64
	for _, pause := range underway {
		time.Sleep(pause)
		var seen bySlot
		if err := w.seen.Get(&seen); err != nil {
			return 0, err
		}
		missed = 0
		for i := range seen {
			missed += uint64(max(0, int64(counted[i]-(seen[i]-w.base[i]))))
		}
		if missed <= w.missed {
			return w.missed, nil
		}
	}
	w.missed = missed
	return w.missed, nil
}

func (w *witness) close() {
	if w == nil {
		return
	}
	for _, c := range w.fds {
		_ = unix.Close(c.fd)
	}
	w.fds = nil
}

// tracepointID is the number of a tracepoint ("timer/timer_expire_entry") in tracefs.
func tracepointID(name string) (uint64, error) {
	file := "events/" + name + "/id"
	var text []byte
	var err error
	for _, dir := range []string{"/sys/kernel/tracing/", "/sys/kernel/debug/tracing/"} {
		if text, err = os.ReadFile(dir + file); err == nil {
			break
		}
	}
	if err != nil {
		var unmounted error
		if text, unmounted = readDetached("tracefs", file); unmounted != nil {
			return 0, fmt.Errorf("find tracepoint %s in tracefs: %w", name, errors.Join(err, unmounted))
		}
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number of tracepoint %s: %q: %w", name, text, err)
	}
	return id, nil
}

// onlineCPUs lists the processors that run now. What one counts that comes
// later is not counted here, and so not missed.
func onlineCPUs() ([]int, error) {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, err
	}
	cpus, err := parseCPUs(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("processors online, %q: %w", text, err)
	}
	return cpus, nil
}

// parseCPUs reads a list such as "0-3,8".
func parseCPUs(list string) (cpus []int, err error) {
	const most = 1 << 13 // CONFIG_NR_CPUS is at most 8192
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(first, 10, 31)
		if err != nil {
			return nil, err
		}
		to := from
		if isRange {
			if to, err = strconv.ParseUint(last, 10, 31); err != nil {
				return nil, err
			}
		}
		if to < from || to >= most {
			return nil, fmt.Errorf("no range of processors: %q", part)
		}
		for ; from <= to; from++ {
			cpus = append(cpus, int(from))
		}
	}
	return cpus, nil
}
