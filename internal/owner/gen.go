// SPDX-License-Identifier: BSD-2-Clause

package owner

//go:generate go tool bpf2go -target amd64,arm64 -go-package owner -type owner_file -type owner_listener -type owner_kind owner ../../bpf/owner.bpf.c -- -mcpu=v3 -O2 -g -Wall -Werror
