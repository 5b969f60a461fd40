// SPDX-License-Identifier: BSD-2-Clause

package lab

import "testing"

func TestTCPExt(t *testing.T) {
	const text = "MPTcpExt: A TCPKeepAlive\nMPTcpExt: 1 2\nTcpExt: SyncookiesSent TCPKeepAlive TCPWinProbe\nTcpExt: 0 17 5\nIpExt: TCPKeepAlive\nIpExt: 9\n"
	if n, err := tcpExt([]byte(text), counterKeepalive); n != 17 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for name, text := range map[string]string{
		"empty":        "",
		"not there":    "TcpExt: SyncookiesSent\nTcpExt: 0\n",
		"no values":    "TcpExt: TCPKeepAlive\n",
		"too few":      "TcpExt: A TCPKeepAlive\nTcpExt: 1\n",
		"not a number": "TcpExt: TCPKeepAlive\nTcpExt: x\n",
	} {
		if n, err := tcpExt([]byte(text), counterKeepalive); err == nil {
			t.Errorf("%s: got %d", name, n)
		}
	}
}
