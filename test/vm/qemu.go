// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"strconv"

	"katrace/test/vm/internal/wire"
)

// machine is what an emulated machine is made of.
type machine struct {
	arch   string
	memMiB int
	cpus   int
	icount bool   // the clock counts instructions, 1 ns each: for measuring costs
	plugin string // the emulator's plugin and its arguments; "": none

	cmdline string // more of the kernel's command line
	gdb     string // the unix socket of GDB's stub; "": none
}

// qemuArgs are the emulator's arguments for a guest of ours.
func qemuArgs(m machine, vmlinuz, initrd, socket string) []string {
	return append(machineArgs(m, vmlinuz),
		"-initrd", initrd,
		"-chardev", "socket,id=port,path="+socket,
		"-device", "virtio-serial-pci",
		"-device", "virtserialport,chardev=port,name="+wire.PortName,
	)
}

// diskArgs are the emulator's arguments for a system on a disk. Debian's cloud
// kernels have NVMe and ext4 built in, so that it takes no initramfs.
func diskArgs(m machine, vmlinuz, disk string) []string {
	m.cmdline = "root=/dev/nvme0n1 rw systemd.show_status=no"
	return append(machineArgs(m, vmlinuz),
		"-drive", "if=none,id=disk,format=raw,cache=unsafe,file="+disk,
		"-device", "nvme,drive=disk,serial=katrace",
	)
}

// machineArgs are the arguments that all have. It is always TCG: KVM, where a
// machine that is itself virtual offers it, hangs.
func machineArgs(m machine, vmlinuz string) []string {
	var machineType, cpu, console string
	switch m.arch {
	case "arm64":
		machineType, cpu, console = "virt", "cortex-a72", "ttyAMA0"
	default:
		machineType, cpu, console = "pc", "max", "ttyS0"
	}
	cmdline := kernelCommandLine(console)
	if m.arch == "amd64" && !m.icount { // what instructions are counted of stays as it is
		cpu += quickCopies
		cmdline += " " + quickClock
	}
	if m.cmdline != "" {
		cmdline += " " + m.cmdline
	}
	cpus := m.cpus
	args := []string{"-no-user-config", "-nodefaults", "-no-reboot", "-display", "none", "-monitor", "none"}
	if m.icount {
		args = append(args, "-icount", "shift=0,sleep=off")
		cpus = 1
	}
	if m.plugin != "" {
		args = append(args, "-plugin", m.plugin)
	}
	if m.gdb != "" {
		args = append(args, "-chardev", "socket,id=gdb,server=on,wait=off,path="+m.gdb, "-gdb", "chardev:gdb")
	}
	return append(args,
		// All of the guest's processors share one thread. With a thread each
		// (thread=multi, the default), a processor may still run the old
		// translation of code that another one patches: now and then the kernel
		// dies of a stray breakpoint ("Oops: int3") while it switches a static
		// key, and kprobes patch all the time.
		"-accel", "tcg,thread=single",
		"-machine", machineType,
		"-cpu", cpu,
		"-smp", strconv.Itoa(cpus),
		"-m", strconv.Itoa(m.memMiB),
		"-kernel", vmlinuz,
		"-append", cmdline,
		"-chardev", "stdio,id=console,signal=off",
		"-serial", "chardev:console",
	)
}

// Without these the emulator needs a third less time for the same tests. A kernel that is
// told of fast string instructions (ERMS, FSRM) copies and clears by them, which are
// emulated byte by byte. And it does not use the TSC of an AMD processor without an
// invariant one, because those of two might differ: here both are the host's clock. It
// would read the HPET, a device, each time.
const (
	quickCopies = ",-erms,-fsrm"
	quickClock  = "tsc=reliable"
)

// kernelCommandLine: a panic ends the guest at once (-no-reboot). The watchdogs
// measure how long a processor was away, and an emulated one is away whenever
// its host is busy: real hangs end at the run's own time limit. For the same
// reason it is not tested whether the timer's interrupt comes (check_timer in
// arch/x86/kernel/apic/io_apic.c gives up after ten ticks: "IO-APIC + timer
// doesn't work").
func kernelCommandLine(console string) string {
	return fmt.Sprintf("console=%s panic=-1 nowatchdog no_timer_check rcupdate.rcu_cpu_stall_suppress=1", console)
}
