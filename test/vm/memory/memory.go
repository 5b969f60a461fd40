// SPDX-License-Identifier: BSD-2-Clause

// Package memory lets a test in a guest of test/vm's read and write its
// kernel's memory, through the emulator: for states that take weeks to come by
// themselves. It works in guests that were started with -gdb.
package memory

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
)

// Socket is where a guest's tests ask.
const Socket = "/run/katrace-memory"

// Request asks for n bytes, or to write Data where there is some.
type Request struct {
	Address uint64 `json:"address"` // virtual, the kernel's
	N       int    `json:"n,omitempty"`
	Data    []byte `json:"data,omitempty"`
}

// Reply has what was read.
type Reply struct {
	Data  []byte `json:"data,omitempty"`
	Error string `json:"error,omitempty"`
}

// Read reads n bytes of the kernel's memory.
func Read(address uint64, n int) ([]byte, error) {
	reply, err := ask(Request{Address: address, N: n})
	return reply.Data, err
}

// Write writes data to the kernel's memory.
func Write(address uint64, data []byte) error {
	_, err := ask(Request{Address: address, Data: data})
	return err
}

func ask(r Request) (reply Reply, err error) {
	conn, err := net.Dial("unix", Socket)
	if err != nil {
		return reply, fmt.Errorf("the kernel's memory: %w (was this guest started with -gdb?)", err)
	}
	defer func() { _ = conn.Close() }()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return reply, err
	}
	if err := json.NewDecoder(conn).Decode(&reply); err != nil {
		return reply, err
	}
	if reply.Error != "" {
		return reply, errors.New("the kernel's memory: " + reply.Error)
	}
	return reply, nil
}
