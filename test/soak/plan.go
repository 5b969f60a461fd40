// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/lab"
)

// plan is what to run, and what came of it.
type plan struct {
	time            time.Duration
	conns           int
	katrace, attach string

	dir        string
	tracer     *tracer
	load       *load
	logged     lines // of the log files
	began      time.Time
	rss, first int // KiB; first: after five minutes, or at half of the time
	most       int
}

// What the disk has room for, and how long it is full. A minute's lines of 300
// connections are about 20 MB.
const (
	diskSize = "64m"
	fullFor  = 20 * time.Second
)

// rotation is logrotate's configuration. Rotated files are counted and removed.
const rotation = `%s {
	rotate 3
	create 0600
}
`

func (p *plan) run(ctx context.Context) (err error) {
	if p.dir, err = os.MkdirTemp("", "katrace-soak-*"); err != nil {
		return err
	}
	defer os.RemoveAll(p.dir)
	disk := filepath.Dir(logFile(p.dir))
	if err := os.Mkdir(disk, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("katrace-soak", disk, "tmpfs", 0, "mode=0755,size="+diskSize); err != nil {
		return fmt.Errorf("mount a disk: %w", err)
	}
	defer func() { _ = unix.Unmount(disk, unix.MNT_DETACH) }()
	if err := os.WriteFile(p.dir+"/rotation", fmt.Appendf(nil, rotation, logFile(p.dir)), 0o644); err != nil {
		return err
	}
	if p.tracer, err = start(p.katrace, p.attach, p.dir); err != nil {
		return err
	}
	fmt.Println(p.tracer.messages())
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, p.time)
	defer cancel()
	if p.load, err = startLoad(ctx, p.conns); err != nil {
		return err
	}
	p.began = time.Now()
	fmt.Println("minute  probes: kernel    told   lost  deaths: read    told  silent and back  lines: stdout    file    disk  scrapes  RSS MiB")
	for minute := 1; ctx.Err() == nil; minute++ {
		if err := p.minute(ctx, minute); err != nil {
			_ = p.tracer.cmd.Process.Kill()
			return err
		}
	}
	_ = pause(whole, 5*time.Second) // the last timers fire, and nobody is left
	kernel, err := lab.ProbesSent()
	if err != nil {
		return err
	}
	if err := p.tracer.stop(); err != nil {
		return err
	}
	if err := p.collect(); err != nil {
		return err
	}
	if err := p.logged.readFile(logFile(p.dir)); err != nil {
		return err
	}
	fmt.Println(p.tracer.messages())
	return p.judge(kernel)
}

// minute scrapes every five seconds. Then the log file is rotated; in every
// fifth minute the disk is full first.
func (p *plan) minute(ctx context.Context, n int) error {
	var full *time.Timer
	if n%5 == 3 {
		filler := filepath.Join(p.dir, "disk", "filler")
		if err := fill(filler); err != nil {
			return err
		}
		full = time.AfterFunc(fullFor, func() { _ = os.Remove(filler) })
		defer full.Stop()
	}
	for range 12 {
		_ = pause(ctx, 5*time.Second)
		if err := p.tracer.scrape(); err != nil {
			return fmt.Errorf("scrape: %w", err)
		}
	}
	if out, err := exec.Command("logrotate", "--force", "--state", p.dir+"/state", p.dir+"/rotation").CombinedOutput(); err != nil {
		return fmt.Errorf("logrotate: %w: %s", err, out)
	}
	// katrace looks once a second whether its file was renamed: the one before the
	// last is whole.
	if err := p.collect(); err != nil {
		return err
	}
	var err error
	if p.rss, err = p.tracer.memory(); err != nil {
		return err
	}
	p.most = max(p.most, p.rss)
	if since := time.Since(p.began); p.first == 0 && since >= min(5*time.Minute, p.time/2) {
		p.first = p.rss
	}
	kernel, err := lab.ProbesSent()
	if err != nil {
		return err
	}
	p.row(n, kernel)
	return nil
}

// collect counts the files that katrace has left for good.
func (p *plan) collect() error {
	names := []string{".3", ".2"}
	if p.tracer.cmd.ProcessState != nil {
		names = append(names, ".1")
	}
	for _, suffix := range names {
		if err := p.logged.readFile(logFile(p.dir) + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// fill leaves the disk without room.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 4096)
	for {
		if _, err := f.Write(block); errors.Is(err, unix.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
