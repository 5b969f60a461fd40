// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"katrace/internal/contained"
)

// refused is the error of hooks that the kernel did not load or attach. It names
// the likely reason, as far as the system tells it: in the stream, in the demo
// and by the doctor in the same words.
func refused(doing string, err error, hs ...hook) error {
	return unsupported(doing, err, whyRefused(err, hs))
}

func whyRefused(err error, hs []hook) string {
	var (
		verifier *ebpf.VerifierError
		none     *noFunctionError
		s        = readSwitches()
		refusal  = isRefusal(err)
		tracing  = slices.ContainsFunc(hs, hook.byTracing)
		probe    = slices.ContainsFunc(hs, hook.byProbe)
	)
	switch {
	case refusal && missing() != 0:
		return permissionHint()
	case s.lockdown == "confidentiality":
		return lockedDown
	case refusal && probe && paranoid() != "":
		return paranoid()
	case refusal && (os.Geteuid() != 0 || !tracing || filteredCall() != ""):
		return permissionHint()
	case tracing && !hasOwnBTF():
		return "fentry needs the kernel's own BTF, in /sys/kernel/btf/vmlinux: a file named with --btf does not serve"
	case s.jit == "0" && errors.As(err, &verifier):
		return jitOff
	case errors.As(err, &none), len(hs) != 1 && !tracing:
		return ""
	case probe && !exists(kprobePMU):
		return noKprobes
	case probe && isBlacklisted(hs[0].at):
		return "the function is on the kernel's kprobe blacklist"
	case tracing:
		return "this kernel has no fentry for it (CONFIG_FUNCTION_TRACER with direct calls, from 5.5; arm64 from 6.4) or does not allow it"
	}
	return ""
}

// isRefusal: the kernel, or a filter before it, denies a call to this process.
// The verifier's refusal of a program is another thing.
func isRefusal(err error) bool {
	var verifier *ebpf.VerifierError
	return (isPermission(err) || errors.Is(err, unix.ENOSYS) && filteredCall() != "") && !errors.As(err, &verifier)
}

func isPermission(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// permissionHint names what this process lacks, or what refuses all the same.
func permissionHint() string {
	if need := missing(); need != 0 {
		return lacks(need)
	}
	if !contained.HostUsers() {
		return "the capabilities of a user namespace, such as a rootless container's, do not count: start it as the host's root"
	}
	if call := filteredCall(); call != "" {
		return FilterAdvice(call)
	}
	if rlimit.RemoveMemlock() != nil {
		return lacks(capsOf(unix.CAP_SYS_RESOURCE)) + ", or raise RLIMIT_MEMLOCK (ulimit -l unlimited)"
	}
	return "no capability is missing: a container's namespace, kernel lockdown or a security module; see katrace doctor"
}

// FilterAdvice is the next step where a seccomp filter refuses a system call.
func FilterAdvice(call string) string {
	return "a seccomp filter (Seccomp: 2 in /proc/self/status) most likely refuses " + call +
		": systemd's SystemCallFilter=, or a container's profile, has to allow it"
}

// Filtered says whether a seccomp filter applies to the calling thread.
func Filtered() bool {
	status, err := os.ReadFile("/proc/thread-self/status")
	return err == nil && strings.Contains(string(status), "\nSeccomp:\t2\n") // SECCOMP_MODE_FILTER
}

// filteredCall names the system call that a seccomp filter seems to refuse to
// this process, "" where there is no filter or it lets both pass. It makes calls
// that the kernel itself answers with EINVAL where the capabilities are there:
// an unknown command (__sys_bpf), unknown flags (perf_event_open).
func filteredCall() string {
	if !Filtered() {
		return ""
	}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, 1<<30, 0, 0); errno != unix.EINVAL {
		return "bpf(2)"
	}
	if _, _, errno := unix.Syscall6(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, 0, 1<<30, 0); errno != unix.EINVAL {
		return "perf_event_open(2)"
	}
	return ""
}

// paranoid says what kprobes need beyond what loading needs: Debian's and
// Ubuntu's kernels ask for more (perf_event_open) where perf_event_paranoid is
// above 2. "" where that is not it.
func paranoid() string {
	own, err := readCapabilities()
	if err != nil || own.effective.has(unix.CAP_SYS_ADMIN) {
		return ""
	}
	level, err := strconv.Atoi(readLine("/proc/sys/kernel/perf_event_paranoid"))
	if err != nil || level <= 2 {
		return ""
	}
	return fmt.Sprintf("kernel.perf_event_paranoid is %d: %s, or sysctl kernel.perf_event_paranoid=2", level, lacks(capsOf(unix.CAP_SYS_ADMIN)))
}

// kprobePMU is there where the kernel has kprobes for perf and BPF.
const kprobePMU = "/sys/bus/event_source/devices/kprobe"

func hasOwnBTF() bool { return exists("/sys/kernel/btf/vmlinux") }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isBlacklisted says whether kprobes on the function are forbidden, where debugfs tells.
func isBlacklisted(function string) bool {
	return strings.Contains(readDebugfs("kprobes/blacklist")+"\n", "\t"+function+"\n")
}
