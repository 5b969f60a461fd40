// SPDX-License-Identifier: BSD-2-Clause

package childtest

import (
	"bytes"
	"sync"
)

// Buffer is a bytes.Buffer that two goroutines may use: what a process writes,
// while a test reads it.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
