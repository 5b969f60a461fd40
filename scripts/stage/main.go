// SPDX-License-Identifier: BSD-2-Clause

// Command stage plays the scenes of the pictures, and katrace records them: by
// default a database host and a pod, whose peers live, vanish, forget, abort and
// come back; with -outages a host whose peers fail many at a time. The kernel, its timers and its sockets are real; the processes are
// this program under other names, and the network between the hosts is a wire
// in user space, for the kernel would drop on this host what is lost on a wire.
//
//	stage -katrace /katrace -attach kprobe [-outages] >recording.json
//
// It needs root, /dev/net/tun and cgroup v2; make recording runs it in a guest.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// The main goroutine stays on the first thread: an actor is in its network
// namespace with that thread alone.
func init() { runtime.LockOSThread() }

func main() {
	katrace := flag.String("katrace", "/katrace", "the program that records")
	attach := flag.String("attach", "kprobe", "its backend")
	outages := flag.Bool("outages", false, "the play in which many fail together")
	name := flag.String("act", "", "be the process of this `name` (the stage starts these)")
	flag.Parse()
	err := error(nil)
	if *name != "" {
		err = act(*name)
	} else {
		p := play{cast: cast(), pace: 700 * time.Millisecond, story: (*play).single}
		if *outages {
			p = play{cast: crowd(), pace: 20 * time.Millisecond, story: (*play).outages}
		}
		err = p.stage(*katrace, *attach)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
}

// stage records the play from before its first connection to after its end.
func (p *play) stage(katrace, attach string) error {
	p.wire, p.hosts = newWire(), map[string]*host{}
	for _, name := range []string{"db", "pod", "elsewhere"} {
		h, err := newHost(p.wire, addresses[name])
		if err != nil {
			return fmt.Errorf("host %s: %w", name, err)
		}
		p.hosts[name] = h
	}
	stop, err := record(katrace, "-o", "json", "--attach", attach,
		"--netns", fmt.Sprintf("%d,%d", p.hosts["db"].inum, p.hosts["pod"].inum))
	if err != nil {
		return err
	}
	err = p.run()
	if failed := stop(); err == nil {
		err = failed
	}
	p.close()
	return err
}

// record starts katrace, which writes to the stage's stdout, and waits until it
// is attached. The function it returns ends it, as ctrl-C does.
func record(katrace string, args ...string) (stop func() error, err error) {
	cmd := exec.Command(katrace, args...)
	cmd.Stdout = os.Stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	words := bufio.NewReader(stderr)
	for {
		line, err := words.ReadString('\n')
		fmt.Fprint(os.Stderr, line)
		if err != nil {
			return nil, fmt.Errorf("%s ended before it was attached: %w", katrace, cmd.Wait())
		}
		if strings.Contains(line, "attached by") {
			break
		}
	}
	rest := make(chan struct{})
	go func() { _, _ = io.Copy(os.Stderr, words); close(rest) }()
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			return err
		}
		<-rest
		return cmd.Wait()
	}, nil
}
