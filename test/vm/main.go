// SPDX-License-Identifier: BSD-2-Clause

// Command vm boots Debian kernels under QEMU and runs commands of ours in
// them: the kprobe and fentry backends need kernels that the machines which
// build katrace do not run.
//
//	go run ./test/vm run -kernel newest [-file path[:guestpath]]… -- /cmd arg…
//	go run ./test/vm matrix -kernels 5.10,newest-arm64 -backends kprobe,fentry
//	go run ./test/vm matrix -environments rt,nojit
//	go run ./test/vm fetch
//
// Kernels come from Debian's archive through the machine's own mirror and are
// kept in the user's cache directory; nothing is installed but QEMU, where it
// is missing. A kernel that cannot be had or booted is a failure, never skipped.
// Environments are kernels as people run them: environments.go is their table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: vm <command> [flags]

  run     runs one command in one guest and ends with its status
          (under "go run" any failure is status 1)
  matrix  runs the end-to-end tests on every kernel, or in environments, in a
          guest each
  disk    boots a system on a disk, whose console is the output
  fetch   gets kernels into the cache, and prints the directories

vm <command> -h lists the flags. The environment:
  ` + cacheEnv + `           where kernels are kept (default: katrace/vm in the user's cache directory)
  ` + mirrorEnv + `   URI of a mirror of Debian's main archive (default: from apt's sources)
`

// errUsage has been said already.
var errUsage = errors.New("usage")

// errFailed means that the tests failed, which has been said already.
var errFailed = errors.New("failed")

// statusError is the status of a command in a guest.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("the command ended with status %d", int(s)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	var status statusError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case errors.As(err, &status):
		os.Exit(int(status))
	case errors.Is(err, errFailed):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "run":
			return runCommand(ctx, args[1:])
		case "matrix":
			return matrixCommand(ctx, args[1:])
		case "disk":
			return diskCommand(ctx, args[1:])
		case "fetch":
			return fetchCommand(ctx, args[1:])
		}
	}
	fmt.Fprint(os.Stderr, usage)
	return errUsage
}

// parse reads flags; what is wrong with them has been said when it fails.
func parse(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errUsage
	}
	return err
}
