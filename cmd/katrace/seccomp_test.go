// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// underFilter makes the test binary katrace under a seccomp filter: its value is
// the system call that the filter refuses and the errno, "321 1".
const underFilter = "KATRACE_TEST_SECCOMP"

// mainUnderFilter puts this process under the filter and begins again, as katrace.
func mainUnderFilter() {
	number, errno, _ := strings.Cut(os.Getenv(underFilter), " ")
	n, err1 := strconv.ParseUint(number, 10, 32)
	e, err2 := strconv.ParseUint(errno, 10, 16)
	if err1 != nil || err2 != nil {
		panic("bad " + underFilter)
	}
	runtime.LockOSThread()
	// The number is the first word of struct seccomp_data.
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// It needs CAP_SYS_ADMIN, or to give up new privileges.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0); err != nil {
		panic(err)
	}
	if err := os.Unsetenv(underFilter); err != nil {
		panic(err)
	}
	panic(syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), asMain+"=1")))
}

// TestSeccomp: where a seccomp filter refuses a system call to a process that has
// the capabilities, the filter is named, not a capability or a limit.
func TestSeccomp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("without privileges it is their lack that is named")
	}
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		for _, args := range []string{"-o text --attach tracepoint", "-o text", "doctor"} {
			cmd := asKatrace(strings.Fields(args)...)
			cmd.Env = append(os.Environ(), underFilter+"="+strconv.Itoa(unix.SYS_BPF)+" "+strconv.Itoa(int(errno)))
			out, err := cmd.CombinedOutput()
			if status := cmd.ProcessState.ExitCode(); err == nil || status != exitUnsupported {
				t.Errorf("%s, %v: exit status %d, want %d", args, errno, status, exitUnsupported)
			}
			said := string(out)
			if !strings.Contains(said, "seccomp filter") || !strings.Contains(said, "bpf(2)") || strings.Contains(said, "try sudo") || strings.Contains(said, "MEMLOCK (") {
				t.Errorf("%s, %v: want the seccomp filter named, and what it refuses:\n%s", args, errno, said)
			}
		}
	}
}
