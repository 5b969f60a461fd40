// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// DropPrivileges gives up, for good and in every thread, all capabilities but
// those of keep, and the right to get new ones by exec (PR_SET_NO_NEW_PRIVS).
// What is attached stays attached. CAP_BPF stays where this kernel does not
// let the counters of misses be read without it (before 5.19).
//
// It needs no privilege itself. In a program built with cgo it fails: the
// runtime does not know all threads then.
func (t *Tracer) DropPrivileges(keep ...int) error {
	own, err := readCapabilities()
	if err != nil {
		return err
	}
	kept := capsOf(keep...)
	if t.countersNeed(unix.CAP_BPF, own) {
		kept |= capsOf(unix.CAP_BPF)
	}
	return dropCapabilities(own, kept&own.permitted)
}

// DropPrivileges is Tracer.DropPrivileges for a program that traces nothing.
func DropPrivileges(keep ...int) error {
	own, err := readCapabilities()
	if err != nil {
		return err
	}
	return dropCapabilities(own, capsOf(keep...)&own.permitted)
}

// countersNeed tries whether the counters can be read without the capability,
// and without those that stand in for it.
func (t *Tracer) countersNeed(number int, own threadCaps) bool {
	if len(t.links) == 0 {
		return false
	}
	without := own
	without.effective &^= capsOf(number, unix.CAP_SYS_ADMIN)
	failed := make(chan bool)
	go func() {
		// A thread that cannot be put back ends with this goroutine.
		runtime.LockOSThread()
		err := setCapabilities(without)
		if err == nil {
			_, err = t.links[0].prog.Stats()
		}
		if setCapabilities(own) == nil {
			runtime.UnlockOSThread()
		}
		failed <- err != nil
	}()
	return <-failed
}

// setCapabilities sets the calling thread's.
func setCapabilities(c threadCaps) error {
	header, data := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, c.data()
	return unix.Capset(&header, &data[0])
}

// dropCapabilities leaves every thread with the capabilities of kept alone,
// all of which it has to have.
func dropCapabilities(own threadCaps, kept capSet) error {
	// The bounding set first: lowering it is a privilege of its own.
	if own.effective.has(unix.CAP_SETPCAP) {
		for c := 0; ; c++ {
			if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0); err != nil {
				break // the kernel has no such capability, nor any after it
			}
			if kept.has(c) {
				continue
			}
			if err := inAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c)); err != nil {
				return fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
			}
		}
	}
	if err := inAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("forbid new privileges: %w", err)
	}
	if err := inAllThreads(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := threadCaps{effective: kept, permitted: kept}.data()
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return fmt.Errorf("drop capabilities: %w", errno)
	}
	return nil
}

// inAllThreads makes a system call in every thread of this process.
func inAllThreads(trap, a1, a2 uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall6(trap, a1, a2, 0, 0, 0, 0)
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP:
		return errors.New("this katrace is built with cgo (build it with CGO_ENABLED=0)")
	}
	return errno
}
