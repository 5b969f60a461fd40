// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"flag"
	"os"
)

// fetchCommand gets kernels into the cache.
func fetchCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	kernels := flags.String("kernels", seriesNames(), "kernels to get")
	archList := flags.String("archs", "amd64", "their architectures: amd64,arm64")
	refresh := flags.Bool("refresh", false, "ask the archive even if it was asked today")
	if err := parse(flags, args); err != nil {
		return err
	}
	_, err := getKernels(ctx, *kernels, *archList, *refresh)
	return err
}

// getKernels gets every kernel of the lists for every architecture, after
// installing what that takes.
func getKernels(ctx context.Context, seriesList, archList string, refresh bool) ([]*kernel, error) {
	wantedSeries, err := parseSeries(seriesList)
	if err != nil {
		return nil, err
	}
	wantedArchs, err := parseArchs(archList)
	if err != nil {
		return nil, err
	}
	need := []string{"xz", "dpkg-deb"}
	for _, arch := range wantedArchs {
		need = append(need, qemuBinary(arch))
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
	for _, arch := range wantedArchs {
		for _, s := range wantedSeries {
			k, err := st.get(ctx, s, arch)
			if err != nil {
				return nil, err
			}
			out = append(out, k)
		}
	}
	return out, nil
}
