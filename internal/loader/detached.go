// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// readDetached reads a file of tracefs or debugfs where nobody has mounted it: it
// is mounted for this call alone, and no other process sees it. It needs
// CAP_SYS_ADMIN and Linux 5.2.
func readDetached(fstype, file string) ([]byte, error) {
	fs, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", fstype, err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("mount %s: %w", fstype, err)
	}
	dir, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", fstype, err)
	}
	defer func() { _ = unix.Close(dir) }()
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d/%s", dir, file))
	if err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", file, fstype, err)
	}
	return text, nil
}
