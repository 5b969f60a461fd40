// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
)

// fetchCommand gets kernels into the cache, and prints where each is.
func fetchCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fetch", flag.ContinueOnError)
	kernels := flags.String("kernels", matrixNames(), "kernels to get, as SERIES[-FLAVOUR][-ARCH]; flavours: "+flavourNames())
	environmentList := flags.String("environments", "", "environments whose kernels to get: "+environmentNames()+", or all")
	refresh := flags.Bool("refresh", false, "ask the archive even if it was asked today")
	if err := parse(flags, args); err != nil {
		return err
	}
	targets, err := parseTargets(*kernels)
	if err != nil {
		return err
	}
	envs, err := findEnvironments(*environmentList)
	if err != nil {
		return err
	}
	for _, e := range envs {
		t, err := parseTarget(e.kernel)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	st, err := openStore(ctx, *refresh, targets)
	if err != nil {
		return err
	}
	for _, t := range targets {
		k, err := st.get(ctx, t, nil)
		if err != nil {
			return err
		}
		fmt.Println(k.dir)
	}
	return nil
}

// openStore opens the store of kernels, after installing what these take.
func openStore(ctx context.Context, refresh bool, targets []target) (*store, error) {
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
	return &store{dir: dir, refresh: refresh, say: os.Stderr}, nil
}
