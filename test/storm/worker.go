// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// workerArg makes this program a worker: it holds connections, and does what
// its standard input says, a line an order, a line in answer:
//
//	on ACTIVE IDLE   the first ACTIVE connections probe every IDLE seconds
//	off              none does
//
// It ends with its input.
const workerArg = "worker"

func work(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("worker: want an address and how many connections, not %q", args)
	}
	addr, err := netip.ParseAddr(args[0])
	if err != nil {
		return err
	}
	conns, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	probing, err := connect(addr, conns)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var active, idle int
		if in.Text() == "off" {
			err = switchOff(probing)
		} else if _, err = fmt.Sscanf(in.Text(), "on %d %d", &active, &idle); err == nil {
			err = switchOn(probing[:active], idle)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", in.Text(), err)
		}
		fmt.Println("done")
	}
	return in.Err()
}

// connect makes n connections and returns the ends that are to probe. The
// others are held by nothing but their descriptors. The descriptors are left
// to the kernel, for Go's poller would take more memory than the connections.
func connect(at netip.Addr, n int) ([]int, error) {
	addr := &unix.SockaddrInet4{Addr: at.As4(), Port: 7}
	ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Bind(ln, addr); err != nil {
		return nil, fmt.Errorf("bind: %w", err)
	}
	if err := unix.Listen(ln, 128); err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	probing := make([]int, 0, n)
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", len(probing), err)
		}
		if err := unix.Connect(fd, addr); err != nil {
			return nil, fmt.Errorf("connection %d: %w", len(probing), err)
		}
		if _, _, err := unix.Accept(ln); err != nil {
			return nil, fmt.Errorf("connection %d: accept: %w", len(probing), err)
		}
		probing = append(probing, fd)
	}
	return probing, nil
}

// switchOn spreads the connections over the interval, so that as many of them
// probe in each part of it. The idle time is shorter, where it can be: then each
// firing of a timer sends a probe, also after an answer that came late, and
// firings that a kernel hides are as many probes.
func switchOn(fds []int, idle int) error {
	const slices = 100 // a second
	start := time.Now()
	for i, fd := range fds {
		for _, o := range []struct{ level, name, value int }{
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, max(1, idle-1)},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, idle},
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		} {
			if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
				return err
			}
		}
		if slice := i * idle * slices / len(fds); slice != (i+1)*idle*slices/len(fds) {
			time.Sleep(time.Until(start.Add(time.Duration(slice+1) * time.Second / slices)))
		}
	}
	return nil
}

func switchOff(fds []int) error {
	for _, fd := range fds {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
			return err
		}
	}
	return nil
}
