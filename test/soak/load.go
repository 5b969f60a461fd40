// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// load is connections that fall silent, and then recover or die.
type load struct {
	listener  net.Listener
	peers     *peers
	died      atomic.Uint64 // the application read ETIMEDOUT
	recovered atomic.Uint64 // it was silent for so long that two probes were unanswered
	wrong     atomic.Uint64 // it ended otherwise
}

// storm is how often all connections fall silent at once.
const storm = 30 * time.Second

// startLoad makes connections until ctx ends.
func startLoad(ctx context.Context, conns int) (*load, error) {
	quiet := net.ListenConfig{KeepAlive: -1}
	quiet.SetMultipathTCP(false)
	l := &load{}
	var err error
	if l.listener, err = quiet.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	l.peers = newPeers()
	go l.peers.accept(l.listener)
	for i := range conns {
		go func() {
			for ctx.Err() == nil {
				err := l.live(ctx, i%2 == 0)
				if errors.Is(err, os.ErrDeadlineExceeded) {
					return // the time is over
				}
				if err != nil && ctx.Err() == nil {
					l.wrong.Add(1)
					fmt.Println("soak: a connection:", err)
					time.Sleep(time.Second)
				}
			}
		}()
	}
	return l, nil
}

// live is the life of one connection: it is probed, and its peer is silent for a
// while, or for good. On a busy machine the first may become the second.
func (l *load) live(ctx context.Context, dies bool) error {
	dialer := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 4}}
	dialer.SetMultipathTCP(false)
	c, err := dialer.DialContext(ctx, "tcp", l.listener.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	peer := l.peers.take(c.LocalAddr().String())
	defer peer.Close()
	// Else a deaf orphan would keep its port, and the next connection from it.
	if err := peer.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	end := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		end <- err
	}()
	for {
		// To the next storm; every third time to a moment of its own.
		wait := time.Until(time.Now().Truncate(storm).Add(storm))
		if rand.IntN(3) == 0 {
			wait += rand.N(storm)
		}
		silent := 2500 * time.Millisecond // two probes, at least
		if dies {
			silent = time.Minute // four, and the end
		}
		for _, step := range []struct {
			wait time.Duration
			deaf bool
		}{{wait, true}, {silent, false}} {
			select {
			case <-ctx.Done():
				return nil
			case err := <-end:
				if !errors.Is(err, unix.ETIMEDOUT) {
					return err
				}
				l.died.Add(1)
				return nil
			case <-time.After(step.wait):
			}
			if err := deafen(peer, step.deaf); err != nil {
				return err
			}
		}
		if dies {
			return errors.New("it did not die within a minute")
		}
		l.recovered.Add(1)
	}
}

// deafen lets a socket's segments be dropped before TCP sees them (a socket filter
// that accepts nothing), or not any more.
func deafen(c net.Conn, on bool) error {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		if !on {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
			return
		}
		nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing})
	})
	return errors.Join(err, failed)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
