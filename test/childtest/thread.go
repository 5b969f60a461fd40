// SPDX-License-Identifier: BSD-2-Clause

package childtest

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// InThread runs f in a thread that has a descriptor table of its own and is not
// the process's first, and returns when f has returned. The thread stays until
// over is closed; nil: as long as the process.
func InThread(over <-chan struct{}, f func()) error {
	ran := make(chan error)
	var thread func()
	thread = func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if unix.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			go thread() // the first thread stays taken meanwhile
			<-over
			return
		}
		err := unix.Unshare(unix.CLONE_FILES)
		if err == nil {
			f()
		}
		ran <- err
		<-over
	}
	go thread()
	return <-ran
}
