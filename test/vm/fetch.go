// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"flag"
	"os"
	"slices"
)

// fetchCommand gets kernels into the cache.
func fetchCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	kernels := flags.String("kernels", matrixNames(), "kernels to get, as SERIES or SERIES-ARCH")
	refresh := flags.Bool("refresh", false, "ask the archive even if it was asked today")
	if err := parse(flags, args); err != nil {
		return err
	}
	_, err := getKernels(ctx, *kernels, *refresh)
	return err
}

// getKernels gets every kernel of the list, after installing what that takes.
func getKernels(ctx context.Context, list string, refresh bool) ([]*kernel, error) {
	targets, err := parseTargets(list)
	if err != nil {
		return nil, err
	}
	need := []string{"xz", "dpkg-deb"}
	for _, t := range targets {
		if tool := qemuBinary(t.arch); !slices.Contains(need, tool) {
			need = append(need, tool)
		}
	}
	if err := needTools(ctx, os.Stderr, need...); err != nil {
		return nil, err
	}
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	st := &store{dir: dir, refresh: refresh, say: os.Stderr}
	var out []*kernel
	for _, t := range targets {
		k, err := st.get(ctx, t.series, t.arch)
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}
