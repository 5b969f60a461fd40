// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"os"
	"sync/atomic"
	"time"
)

// netnsNames are the names that ip netns has given to network namespaces, as
// of a few seconds ago.
type netnsNames struct {
	byInode atomic.Pointer[map[uint32]string]
}

// namesEvery is how often the names are read.
const namesEvery = 5 * time.Second

// beside returns feed with the reading of the names beside it.
func (n *netnsNames) beside(feed func(context.Context) error) func(context.Context) error {
	n.read(netnsDir)
	return func(ctx context.Context) error {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(namesEvery):
					n.read(netnsDir)
				}
			}
		}()
		return feed(ctx)
	}
}

// read reads the names in a directory. What cannot be read has no name.
func (n *netnsNames) read(dir string) {
	entries, _ := os.ReadDir(dir)
	names := make(map[uint32]string, len(entries))
	for _, e := range entries {
		if inode, err := parseNetns(dir + "/" + e.Name()); err == nil {
			names[inode] = e.Name()
		}
	}
	n.byInode.Store(&names)
}

// name is the namespace's name, or "".
func (n *netnsNames) name(inode uint32) string {
	if names := n.byInode.Load(); names != nil {
		return (*names)[inode]
	}
	return ""
}
