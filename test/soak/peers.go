// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net"
	"sync"
)

// peers are the accepted ends of connections, by their remote address.
type peers struct {
	mu    sync.Mutex
	came  *sync.Cond
	conns map[string]net.Conn
}

func newPeers() *peers {
	p := &peers{conns: map[string]net.Conn{}}
	p.came = sync.NewCond(&p.mu)
	return p
}

func (p *peers) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.conns[c.RemoteAddr().String()] = c
		p.came.Broadcast()
		p.mu.Unlock()
	}
}

// take waits for the end of a connection that is established.
func (p *peers) take(addr string) net.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.conns[addr] == nil {
		p.came.Wait()
	}
	c := p.conns[addr]
	delete(p.conns, addr)
	return c
}
