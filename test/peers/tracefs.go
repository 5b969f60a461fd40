// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// MountTracefs mounts tracefs and debugfs, which other tools need and not every
// machine has mounted, for the calling thread and what it starts: in a mount
// namespace of their own.
func MountTracefs() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("keep mounts to ourselves: %w", err)
	}
	for fstype, dir := range map[string]string{"tracefs": "/sys/kernel/tracing", "debugfs": "/sys/kernel/debug"} {
		if err := unix.Mount(fstype, dir, fstype, 0, ""); err != nil && err != unix.EBUSY {
			return fmt.Errorf("mount %s: %w", fstype, err)
		}
	}
	return nil
}
