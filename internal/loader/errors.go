// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"katrace/internal/contained"
)

// ErrUnsupported is wrapped by errors that say that this kernel, or these
// privileges, cannot do it: exit status 3.
var ErrUnsupported = errors.New("not supported here")

// UnsupportedError says what was tried, what the kernel said, and what helps.
type UnsupportedError struct {
	Doing string // "attach kprobe tcp_write_wakeup"
	Err   error  // what the kernel said
	Hint  string // the next step, "" if there is none
}

func (e *UnsupportedError) Error() string {
	s := e.Doing + ":"
	if why := e.Err.Error(); strings.HasPrefix(why, "\n") {
		s += why
	} else {
		s += " " + why
	}
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

func (e *UnsupportedError) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

func unsupported(doing string, err error, hint string) error {
	for _, out := range []error{unix.EMFILE, unix.ENFILE, unix.ENOMEM} {
		if errors.Is(err, out) {
			return fmt.Errorf("%s: %w", doing, err) // that of descriptors or memory is no limit of the kernel's
		}
	}
	if errors.Is(err, ebpf.ErrNotSupported) && filesAreFew() {
		// The library's own test of the feature fails for want of a descriptor, too.
		return fmt.Errorf("%s: %w, or %w", doing, unix.EMFILE, err)
	}
	if was := err; isRefusal(err) {
		// What the library adds (a guess at RLIMIT_MEMLOCK, every way it tried) misleads here.
		if err = unix.EPERM; errors.Is(was, unix.ENOSYS) {
			err = unix.ENOSYS
		}
		if hint == "" {
			hint = permissionHint()
		}
	}
	return &UnsupportedError{Doing: doing, Err: err, Hint: hint}
}

// filesAreFew: may RLIMIT_NOFILE be too low for all that is loaded and attached? (That
// took 35 descriptors at the most.)
func filesAreFew() bool {
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < 64
}

// Advice is the next step where the kernel has just refused this thread what it
// allows with the capability, a number of capabilities(7): to get it, or, where
// the thread has it, what else may refuse. It goes by what the thread has now: it is
// asked for where the refusal comes, for privileges may be dropped later.
func Advice(number int) string {
	need := capsOf(number)
	if own, err := readCapabilities(); err == nil && own.effective.has(number) {
		return fmt.Sprintf("refused even with %s: a security module, a container or a sandbox", need)
	}
	return lacks(need)
}

// Lacks is Advice for several, "" where this process has them all.
func Lacks(numbers ...int) string {
	own, err := readCapabilities()
	if need := capsOf(numbers...) &^ own.effective; err == nil && need != 0 {
		return lacks(need)
	}
	return ""
}

func lacks(need capSet) string {
	return fmt.Sprintf("this process lacks %s; %s", need, contained.Remedy())
}

// VerifierLog returns the verifier's whole log if that is why err came about.
func VerifierLog(err error) (string, bool) {
	var ve *ebpf.VerifierError
	if !errors.As(err, &ve) {
		return "", false
	}
	return fmt.Sprintf("%+v", ve), true
}
