// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"testing"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

func TestKernelUser(t *testing.T) {
	const file = loader.FlagKernel | loader.FlagFile
	for _, tt := range []struct {
		what   string
		flags  uint8
		symbol string
		by     conn.HeldBy
		module string
	}{
		{"a process's", 0, "", 0, ""},
		{"no file", loader.FlagKernel, "svc_data_ready [sunrpc]", conn.HeldByKernel, "sunrpc"},
		{"no file, and no module (cifs)", loader.FlagKernel, "sock_def_readable", conn.HeldByKernel, ""},
		{"no file, before bpf_snprintf", loader.FlagKernel, "", conn.HeldByKernel, ""},
		{"a symbol that was cut off", loader.FlagKernel, "svc_tcp_listen_data_ready [sunr", conn.HeldByKernel, ""},
		{"a file (NFS)", file, "xs_data_ready [sunrpc]", conn.HeldByKernel, "sunrpc"},
		{"a file, which a process has: accepted by MPTCP", file, "sock_def_readable", 0, ""},
		{"a file, before bpf_snprintf", file, "", 0, ""},
	} {
		if by, module := KernelUser(tt.flags, tt.symbol); by != tt.by || module != tt.module {
			t.Errorf("%s: held by %q, module %q, want %q, %q", tt.what, by, module, tt.by, tt.module)
		}
	}
}
