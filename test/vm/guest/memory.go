// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"sync"

	"katrace/test/vm/internal/wire"
	"katrace/test/vm/memory"
)

// memoryServer passes requests of the tests' on to the host, one at a time:
// the host answers on the port in the order of asking.
type memoryServer struct {
	listener net.Listener
	out      *wire.Writer

	mu sync.Mutex
	in *wire.Reader
}

func serveMemory(f port, out *wire.Writer) (*memoryServer, error) {
	listener, err := net.Listen("unix", memory.Socket)
	if err != nil {
		return nil, err
	}
	s := &memoryServer{listener: listener, out: out, in: wire.NewReader(f)}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *memoryServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	var request memory.Request
	if err := json.NewDecoder(conn).Decode(&request); err != nil {
		return
	}
	reply, err := s.ask(request)
	if err != nil {
		reply.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(reply)
}

func (s *memoryServer) ask(request memory.Request) (reply memory.Reply, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.JSON(wire.KindMemory, request); err != nil {
		return reply, err
	}
	kind, payload, err := s.in.Next()
	if err != nil {
		return reply, err
	}
	if kind != wire.KindMemory {
		return reply, fmt.Errorf("the host answers with a frame %q", kind)
	}
	return reply, json.Unmarshal(payload, &reply)
}

// close waits for the request under way, whose answer is not the sign that the
// guest waits for at its end.
func (s *memoryServer) close() {
	_ = s.listener.Close()
	s.mu.Lock()
}
