// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// crew is the worker processes; each has as many connections as one process
// may have descriptors for.
type crew struct {
	workers []*worker
	conns   int
}

type worker struct {
	conns  int
	cmd    *exec.Cmd
	orders io.WriteCloser
	says   *bufio.Scanner
}

// most is how many workers there are addresses for.
const most = 250

// hire starts workers. The addresses of a crew that was dismissed are taken for
// some time, so each crew has a number of its own.
func hire(ctx context.Context, crewNumber, conns int) (*crew, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, err
	}
	each := min(int(min(limit.Max, 1<<20)-50)/2, 25_000) // and no more than there are local ports
	if conns > each*most {
		return nil, fmt.Errorf("-conns %d: a process may have %d descriptors here, which is enough for %d", conns, limit.Max, each*most)
	}
	c := &crew{conns: conns}
	for number := 1; conns > 0; number++ {
		n := min(conns, each)
		w, err := hireOne(ctx, netip.AddrFrom4([4]byte{127, 0, byte(crewNumber), byte(number)}), n)
		if err != nil {
			c.dismiss()
			return nil, fmt.Errorf("start a worker: %w", err)
		}
		c.workers = append(c.workers, w)
		conns -= n
	}
	if err := c.hear("ready"); err != nil {
		c.dismiss()
		return nil, err
	}
	return c, nil
}

func hireOne(ctx context.Context, addr netip.Addr, conns int) (*worker, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", workerArg, addr.String(), fmt.Sprint(conns))
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &worker{conns: conns, cmd: cmd, orders: orders, says: bufio.NewScanner(out)}, cmd.Start()
}

// on makes active of all connections probe every idle seconds.
func (c *crew) on(active, idle int) error {
	for _, w := range c.workers {
		if _, err := fmt.Fprintf(w.orders, "on %d %d\n", w.conns*active/c.conns, idle); err != nil {
			return err
		}
	}
	return c.hear("done")
}

func (c *crew) off() error {
	for _, w := range c.workers {
		if _, err := fmt.Fprintln(w.orders, "off"); err != nil {
			return err
		}
	}
	return c.hear("done")
}

func (c *crew) hear(word string) error {
	for _, w := range c.workers {
		if !w.says.Scan() || w.says.Text() != word {
			return errors.New("a worker failed")
		}
	}
	return nil
}

// dismiss ends the workers, if there are any, and all connections with them.
func (c *crew) dismiss() {
	if c == nil {
		return
	}
	for _, w := range c.workers {
		_ = w.orders.Close()
	}
	for _, w := range c.workers {
		_ = w.cmd.Wait()
	}
}
