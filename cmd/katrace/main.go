// SPDX-License-Identifier: BSD-2-Clause

// Command katrace shows the kernel's TCP keepalive timer at work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// The exit statuses (docs: README.md, "Exit status").
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnsupported = 3
)

// usageError is wrong input on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	keepEnvironment()
	// A closed pipe is an error of write, which ends us quietly, not a signal.
	signal.Ignore(syscall.SIGPIPE)
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // not under nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// What hangs even so, a second signal kills as it would without us. Not at
	// once: some senders signal twice, timeout(1) the process and then its group.
	context.AfterFunc(ctx, func() {
		time.Sleep(grace)
		stop()
	})
	err := run(ctx, os.Args[1:])
	stop()
	os.Exit(exitStatus(err))
}

// run does the work; main only turns its error into the exit status.
func run(ctx context.Context, args []string) error {
	cmd := newRootCommand()
	refuseTopics(cmd)
	cmd.SetArgs(args)
	out := noting{to: os.Stdout}
	cmd.SetOut(&out)
	ran, err := cmd.ExecuteContextC(ctx)
	if err == nil {
		err = out.err // of help and __complete, which do not report it
	}
	if err == nil || isQuiet(err) {
		return err
	}
	// It quotes file names and arguments, which may hold anything; joined
	// errors have a line each.
	for line := range strings.SplitSeq("katrace: "+err.Error(), "\n") {
		fmt.Fprintln(os.Stderr, conn.Safe(line))
	}
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(os.Stderr, "Run '%s --help' for usage.\n", ran.CommandPath())
	}
	if log, ok := loader.VerifierLog(err); ok {
		if debug, _ := cmd.PersistentFlags().GetBool("debug"); debug {
			fmt.Fprintln(os.Stderr, log)
		} else {
			fmt.Fprintln(os.Stderr, "The kernel's verifier refused a program; --debug prints its log.")
		}
	}
	return err
}

// noting is a writer that remembers the first error.
type noting struct {
	to  io.Writer
	err error
}

func (n *noting) Write(b []byte) (int, error) {
	wrote, err := n.to.Write(b)
	if n.err == nil {
		n.err = err
	}
	return wrote, err
}

// errDisagrees ends a command that has already said what is wrong.
var errDisagrees = errors.New("")

// isQuiet says that there is nothing to be said about err.
func isQuiet(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, errDisagrees)
}

func exitStatus(err error) int {
	var usage usageError
	switch {
	case err == nil || errors.Is(err, syscall.EPIPE):
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, loader.ErrUnsupported):
		return exitUnsupported
	}
	return exitFailed
}
