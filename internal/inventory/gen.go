// SPDX-License-Identifier: BSD-2-Clause

package inventory

//go:generate go tool bpf2go -target amd64,arm64 -go-package inventory -type record -type inventory_socket -type inventory_user -type inventory_flag inventory ../../bpf/inventory.bpf.c -- -mcpu=v3 -O2 -g -Wall -Werror
