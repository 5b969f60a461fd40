// SPDX-License-Identifier: BSD-2-Clause

// Package katrace is only the place of the go:generate line: it makes
// internal/loader's generated Go code and BPF objects from bpf/. `make
// generate` runs it and installs clang and libbpf's headers where they lack.
package katrace

//go:generate go tool bpf2go -target amd64,arm64 -output-dir internal/loader -go-package loader -type record -type kernel_record -type record_kind -type record_flag -type story_bit -type record_verdict -type counter katrace bpf/katrace.bpf.c -- -mcpu=v3 -O2 -g -Wall -Werror
