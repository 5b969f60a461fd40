// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"katrace/test/vm/internal/gdb"
	"katrace/test/vm/internal/wire"
	"katrace/test/vm/memory"
)

// guest is what is to be booted and done.
type guest struct {
	kernel   *kernel
	machine  machine
	staging  staging
	init     string // the guest program, built for the architecture
	files    []shipped
	commands []wire.Command
	timeout  time.Duration // from power-on to the end of the last command
}

// sink takes what a guest says while it runs.
type sink interface {
	hello(wire.Hello)
	start(index int)
	output(index int, kind wire.Kind, text []byte)
	exit(wire.Exit)
}

// outcome is what a guest that ran to its end left.
type outcome struct {
	hello     wire.Hello
	exits     []wire.Exit
	tainted   uint64
	kernelLog []byte
	console   []byte        // all attempts'
	boot      time.Duration // power-on to hello
	total     time.Duration // power-on to power-off
}

// A boot that shows nothing for so long after power-on hangs in the firmware.
const lifeTimeout = 40 * time.Second

// errNoLife is the error of a boot that hangs in the firmware.
var errNoLife = fmt.Errorf("nothing came from the guest's kernel within %v", lifeTimeout)

// run boots the guest and carries its commands out. Now and then an emulated
// machine hangs in its firmware, before the kernel: it gets a second try, and
// the second only.
func (g *guest) run(ctx context.Context, to sink, say io.Writer) (*outcome, error) {
	out, err := g.attempt(ctx, to)
	if errors.Is(err, errNoLife) {
		fmt.Fprintf(say, "WARNING: %s: %v: booting it a second time\n", g.kernel, err)
		first := out.console
		out, err = g.attempt(ctx, to)
		out.console = append(append(first, "\n[second boot]\n"...), out.console...)
	}
	if err != nil {
		return out, fmt.Errorf("%s: %w", g.kernel, err)
	}
	return out, nil
}

// attempt boots once. It returns an outcome, if only with the console's text,
// beside an error as well.
func (g *guest) attempt(ctx context.Context, to sink) (*outcome, error) {
	out := &outcome{}
	dir, err := os.MkdirTemp("", "katrace-guest-*")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	initrd := filepath.Join(dir, "initramfs")
	if err := writeInitramfs(initrd, g.init, g.kernel, g.plan(), g.files); err != nil {
		return out, err
	}
	machine := g.machine
	machine.cmdline = g.staging.cmdline
	if g.staging.gdb {
		machine.gdb = filepath.Join(dir, "gdb")
	}
	socket := filepath.Join(dir, "port")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return out, err
	}
	defer listener.Close()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var console consoleLog
	cmd := exec.CommandContext(ctx, qemuBinary(g.kernel.Arch), qemuArgs(machine, g.kernel.vmlinuz(), initrd, socket)...)
	cmd.Stdout, cmd.Stderr = &console, &console
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return out, err
	}
	var alive atomic.Bool
	timers := []*time.Timer{
		time.AfterFunc(lifeTimeout, func() {
			if !alive.Load() && !console.kernelSpoke() {
				cancel(errNoLife)
			}
		}),
		time.AfterFunc(g.timeout, func() {
			cancel(fmt.Errorf("the guest did not end within %v", g.timeout))
		}),
	}
	defer func() {
		for _, t := range timers {
			t.Stop()
		}
	}()

	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		listener.Close()
	}()
	talkErr := g.talk(listener, out, to, start, &alive, machine.gdb)
	if talkErr != nil && ctx.Err() == nil {
		// The port closed by itself: the guest powered off, or panicked. If it
		// is the talk that went wrong, the guest has no reason to end.
		end := time.AfterFunc(10*time.Second, func() { cancel(talkErr) })
		defer end.Stop()
	}
	waitErr := <-ended
	out.console = console.bytes()
	out.total = time.Since(start)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case talkErr != nil && waitErr != nil:
		err = fmt.Errorf("the emulator ended: %w", waitErr)
	case talkErr != nil:
		err = fmt.Errorf("the guest ended too early: %w", talkErr)
	}
	if err != nil {
		return out, withConsole(err, out.console)
	}
	return out, nil
}

// withConsole adds to err what the console showed: what the kernel complained
// about, else the end.
func withConsole(err error, console []byte) error {
	text := string(bytes.ReplaceAll(console, []byte("\r"), nil))
	if found := complaints(text); len(found) > 0 {
		return fmt.Errorf("%w; on its console:\n%s", err, strings.Join(found, "\n…\n"))
	}
	if text = lastLines(text, 25); text == "" {
		return fmt.Errorf("%w; its console stayed empty", err)
	}
	return fmt.Errorf("%w; the end of its console:\n%s", err, text)
}

// talk reads what the guest says until it has said that it is done.
func (g *guest) talk(listener net.Listener, out *outcome, to sink, start time.Time, alive *atomic.Bool, stub string) error {
	conn, err := listener.Accept()
	if err != nil {
		return errors.New("the emulator did not open the guest's port")
	}
	defer conn.Close()
	frames, answers := wire.NewReader(conn), wire.NewWriter(conn)
	current := -1
	for {
		kind, payload, err := frames.Next()
		if err != nil {
			return fmt.Errorf("the guest's port: %w", err)
		}
		alive.Store(true)
		switch kind {
		case wire.KindKernelLog:
			out.kernelLog = append(out.kernelLog, payload...)
		case wire.KindStdout, wire.KindStderr:
			to.output(current, kind, payload)
		case wire.KindHello:
			if err := unmarshal(kind, payload, &out.hello); err != nil {
				return err
			}
			out.boot = time.Since(start)
			to.hello(out.hello)
		case wire.KindStart:
			var s wire.Start
			if err := unmarshal(kind, payload, &s); err != nil {
				return err
			}
			current = s.Index
			to.start(current)
		case wire.KindExit:
			var x wire.Exit
			if err := unmarshal(kind, payload, &x); err != nil {
				return err
			}
			out.exits = append(out.exits, x)
			to.exit(x)
		case wire.KindMemory:
			var r memory.Request
			if err := unmarshal(kind, payload, &r); err != nil {
				return err
			}
			if err := answers.JSON(wire.KindMemory, access(stub, r)); err != nil {
				return err
			}
		case wire.KindDone:
			var d wire.Done
			if err := unmarshal(kind, payload, &d); err != nil {
				return err
			}
			out.tainted = d.Tainted
			_, err := conn.Write([]byte{'\n'})
			return err
		default:
			return fmt.Errorf("frame of an unknown kind %q", kind)
		}
	}
}

// plan is what the guest is told.
func (g *guest) plan() wire.Plan {
	return wire.Plan{
		Modules:  g.kernel.load(g.staging.modules),
		Mounts:   g.staging.mounts,
		Settings: g.staging.settings,
		Without:  g.staging.without,
		Memory:   g.staging.gdb,
		Commands: g.commands,
	}
}

// access reads or writes the guest's memory, which stands still meanwhile.
func access(stub string, r memory.Request) (reply memory.Reply) {
	client, err := gdb.Dial(stub)
	if err == nil {
		if len(r.Data) > 0 {
			err = client.Write(r.Address, r.Data)
		} else {
			reply.Data, err = client.Read(r.Address, r.N)
		}
		err = errors.Join(err, client.Close())
	}
	if err != nil {
		reply.Error = err.Error()
	}
	return reply
}

// consoleLog keeps what the emulator and the guest's console write.
type consoleLog struct {
	mu   sync.Mutex
	text []byte
}

func (c *consoleLog) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	return len(p), nil
}

func (c *consoleLog) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.text)
}

// kernelSpoke tells whether a kernel message is among the text. The firmware
// writes to the same port before.
func (c *consoleLog) kernelSpoke() bool {
	return bytes.Contains(c.bytes(), []byte("] Linux version"))
}

func unmarshal(kind wire.Kind, payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("frame %q of the guest's: %w", kind, err)
	}
	return nil
}
