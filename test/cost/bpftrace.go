// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"slices"

	"katrace/test/peers"
)

// bpftrace is the variant that does the same job by bpftrace.
func bpftrace() (variant, error) {
	peer, err := peers.New("bpftrace-large")
	argv := slices.Concat([]string{"env"}, peer.Env, peer.Argv)
	return variant{name: "bpftrace", argv: argv, ready: peer.Ready, event: "%s "}, err
}
