// SPDX-License-Identifier: BSD-2-Clause

package gdb

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestPacket(t *testing.T) {
	// Checksums by another program; two by hand: 'D' is 0x44; "OK" is 0x4f + 0x4b.
	for payload, want := range map[string]string{"D": "$D#44", "OK": "$OK#9a", "mffff888000001000,4": "$mffff888000001000,4#be"} {
		if got := string(packet(payload)); got != want {
			t.Errorf("packet %q, want %q", got, want)
		}
		if got, err := readPacket(bufio.NewReader(strings.NewReader(want))); err != nil || got != payload {
			t.Errorf("read %q: %q, %v", want, got, err)
		}
	}
	for _, bad := range []string{"", "+", "$OK", "$OK#9", "$OK#9b", "$OK#zz"} {
		if got, err := readPacket(bufio.NewReader(strings.NewReader(bad))); err == nil {
			t.Errorf("read %q: %q and no error", bad, got)
		}
	}
}

// TestClient talks with a stub that answers by a script.
func TestClient(t *testing.T) {
	read := func(c *Client) (string, error) {
		data, err := c.Read(0x1000, 2)
		return string(data), err
	}
	write := func(c *Client) (string, error) { return "", c.Write(0xffffffff81000000, []byte{0xde, 0xad}) }
	for _, c := range []struct {
		name, answer string
		do           func(*Client) (string, error)
		sent, want   string
		wrong        string // what the error has
	}{
		{"read", "+$6869#dd", nil, "$m1000,2#8c", "hi", ""},
		{"it stops meanwhile", "$T02#b6+$T02#b6$6869#dd", nil, "$m1000,2#8c", "hi", ""},
		{"not taken first", "$6869#dd+", nil, "$m1000,2#8c", "", `says "6869" before`},
		{"refused", "+$E14#aa", nil, "$m1000,2#8c", "", "refuses: E14"},
		{"too little", "+$68#6e", nil, "$m1000,2#8c", "", "1 bytes came"},
		{"no hex", "+$xy#f1", nil, "$m1000,2#8c", "", "invalid byte"},
		{"not taken", "-", nil, "$m1000,2#8c", "", "did not take"},
		{"write", "+$OK#9a", write, "$Mffffffff81000000,2:dead#2c", "", ""},
		{"not written", "+$#00", write, "$Mffffffff81000000,2:dead#2c", "", `says ""`},
	} {
		if c.do == nil {
			c.do = read
		}
		t.Run(c.name, func(t *testing.T) {
			near, far := net.Pipe()
			sent := make(chan string, 1)
			go func() {
				buf := make([]byte, len(c.sent))
				_, _ = io.ReadFull(far, buf)
				sent <- string(buf)
				fmt.Fprint(far, c.answer)
				_, _ = io.Copy(io.Discard, far)
			}()
			got, err := c.do(newClient(near))
			if s := <-sent; s != c.sent {
				t.Errorf("sent %q, want %q", s, c.sent)
			}
			if got != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q, %v, want %q, error %q", got, err, c.want, c.wrong)
			}
			_ = near.Close()
		})
	}
}
