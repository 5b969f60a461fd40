// SPDX-License-Identifier: BSD-2-Clause

// Package gdb reads and writes the memory of an emulated machine by as much of
// GDB's remote serial protocol as that takes (the chapter of this name in GDB's
// manual): the packets m, M and D.
package gdb

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long the stub may take for a whole conversation.
const patience = 30 * time.Second

// Client is connected to a stub. The machine stands still from Dial to Close.
type Client struct {
	conn io.ReadWriteCloser
	in   *bufio.Reader
}

// Dial connects to a stub's unix socket.
func Dial(path string) (*Client, error) {
	conn, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	return newClient(conn), nil
}

func newClient(conn io.ReadWriteCloser) *Client { return &Client{conn, bufio.NewReader(conn)} }

// Read reads n bytes at an address that is valid for the processor in its
// present state.
func (c *Client) Read(address uint64, n int) ([]byte, error) {
	reply, err := c.ask(fmt.Sprintf("m%x,%x", address, n))
	if err != nil {
		return nil, fmt.Errorf("read %d bytes at %#x: %w", n, address, err)
	}
	data, err := hex.DecodeString(reply)
	if err == nil && len(data) != n {
		err = fmt.Errorf("%d bytes came", len(data))
	}
	if err != nil {
		return nil, fmt.Errorf("read %d bytes at %#x: %w", n, address, err)
	}
	return data, nil
}

// Write writes data to an address.
func (c *Client) Write(address uint64, data []byte) error {
	if err := c.order(fmt.Sprintf("M%x,%x:%x", address, len(data), data)); err != nil {
		return fmt.Errorf("write %d bytes at %#x: %w", len(data), address, err)
	}
	return nil
}

// Close lets the machine go on: a stub whose client only hangs up keeps it still.
func (c *Client) Close() error {
	return errors.Join(c.order("D"), c.conn.Close())
}

func (c *Client) order(payload string) error {
	reply, err := c.ask(payload)
	if err == nil && reply != "OK" {
		err = fmt.Errorf("the stub says %q", reply)
	}
	return err
}

// ask sends a packet and returns the answer to it.
func (c *Client) ask(payload string) (string, error) {
	if _, err := c.conn.Write(packet(payload)); err != nil {
		return "", err
	}
	for taken := false; ; {
		next, err := c.in.Peek(1)
		if err != nil {
			return "", err
		}
		switch next[0] {
		case '+':
			taken = true
			_, _ = c.in.Discard(1)
			continue
		case '-':
			return "", errors.New("the stub did not take the packet")
		}
		reply, err := readPacket(c.in)
		if err != nil {
			return "", err
		}
		if _, err := c.conn.Write([]byte{'+'}); err != nil {
			return "", err
		}
		switch {
		case strings.HasPrefix(reply, "T"):
			// The machine stands still now: said when it does, between other things.
		case !taken:
			return "", fmt.Errorf("the stub says %q before it has taken the packet", reply)
		case len(reply) == 3 && reply[0] == 'E':
			return "", fmt.Errorf("the stub refuses: %s", reply)
		default:
			return reply, nil
		}
	}
}

// packet is $payload#checksum. None of ours has a character that needs an escape.
func packet(payload string) []byte {
	return fmt.Appendf(nil, "$%s#%02x", payload, checksum(payload))
}

// readPacket reads what a packet holds, and checks it.
func readPacket(in *bufio.Reader) (string, error) {
	if start, err := in.ReadByte(); err != nil {
		return "", err
	} else if start != '$' {
		return "", fmt.Errorf("%q instead of a packet", start)
	}
	payload, err := in.ReadString('#')
	if err != nil {
		return "", err
	}
	payload = payload[:len(payload)-1]
	var sum [2]byte
	if _, err := io.ReadFull(in, sum[:]); err != nil {
		return "", err
	}
	if want, err := strconv.ParseUint(string(sum[:]), 16, 8); err != nil || byte(want) != checksum(payload) {
		return "", fmt.Errorf("packet %q has the wrong checksum %s", payload, sum)
	}
	return payload, nil
}

// checksum is the sum of the bytes modulo 256.
func checksum(payload string) (sum byte) {
	for i := range len(payload) {
		sum += payload[i]
	}
	return sum
}
