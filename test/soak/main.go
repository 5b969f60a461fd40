// SPDX-License-Identifier: BSD-2-Clause

// Command soak lets katrace run for long, as a service does, while what
// surrounds it goes wrong now and then: logrotate renames its log file once a
// minute, the disk is full for a while every fifth minute, its metrics are
// scraped, and connections fall silent, recover and die. Each minute it prints
// a line of figures. At the end it compares: what katrace wrote, lost and
// counted with the kernel's own count.
//
//	go run ./test/soak -time 1h -katrace bin/katrace
//
// Needs root, and logrotate. All of it is in a network and a mount namespace of
// its own, and its disk is a tmpfs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// insideEnv is set in the process that is in the namespaces.
const insideEnv = "KATRACE_SOAK"

func main() {
	var p plan
	flag.DurationVar(&p.time, "time", 15*time.Minute, "how long")
	flag.IntVar(&p.conns, "conns", 300, "connections")
	flag.StringVar(&p.katrace, "katrace", "bin/katrace", "the katrace to run")
	flag.StringVar(&p.attach, "attach", "auto", "its backend")
	flag.Parse()
	if err := run(&p); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(p *plan) error {
	if os.Getenv(insideEnv) == "" {
		return runInside()
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return p.run(ctx)
}

// runInside runs this program again in namespaces of its own, and ends as it does.
func runInside() error {
	self := exec.Command("/proc/self/exe", os.Args[1:]...)
	self.Env = append(os.Environ(), insideEnv+"=1")
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	// Mounts of a new namespace are private where it was unshared by Go (syscall.SysProcAttr).
	self.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // they are for the other
	err := self.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	}
	return err
}
