// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
)

// row prints the figures of a minute.
func (p *plan) row(minute int, kernel uint64) {
	out := p.tracer.stdout.counts()
	fmt.Printf("%6d %15d %7d %6d %13d %7d %16d %14d %7d %7d %8d %8.1f\n", minute, kernel, out.probes, out.lost.Total()-out.lost.Disk,
		p.load.died.Load(), out.resets, p.load.recovered.Load(), out.all, p.logged.all, p.logged.lost.Disk, p.tracer.scrapes, float64(p.rss)/1024)
}

// growth is how much more memory katrace may have at the end than after five minutes.
const growth = 16 << 10 // KiB

// judge compares what katrace wrote with what the kernel counted, and its outputs
// with each other.
func (p *plan) judge(kernel uint64) error {
	out, file := p.tracer.stdout.counts(), p.logged.counts()
	died := p.load.died.Load()
	// What was lost may be any firings of this host, or any records.
	lost := out.lost.Total() - out.lost.Disk
	fmt.Printf("\nprobes: the kernel counts %d, katrace told %d and counts %d as lost; its metrics have %.0f\n", kernel, out.probes, lost, p.tracer.probes)
	fmt.Printf("deaths: applications read %d, katrace told %d; silent and back %d, told %d\n", died, out.resets, p.load.recovered.Load(), out.recovs)
	fmt.Printf("lines: %d on stdout, %d in the log files and %d counted as lost with the disk full; %d damaged\n", out.all, file.all, file.lost.Disk, out.damaged+file.damaged)
	fmt.Printf("memory: %.1f MiB at first, %.1f MiB at the end, %.1f MiB at most; %d scrapes\n", mib(p.first), mib(p.rss), mib(p.most), p.tracer.scrapes)
	var wrong []error
	check := func(ok bool, what string) {
		if !ok {
			wrong = append(wrong, errors.New(what))
		}
	}
	check(out.probes <= kernel && kernel <= out.probes+lost, "probes: told and lost do not make the kernel's count")
	check(out.resets <= died && died <= out.resets+lost, "deaths: told and lost do not make those that applications read")
	check(kernel > 0 && died > 0 && out.recovs > 0, "there was no load")
	check(uint64(p.tracer.probes) <= out.probes, "the metrics have more probes than the lines")
	check(out.all == file.all+file.lost.Disk, "lines: those in the files and those counted as lost are not all")
	check(file.lost.Disk > 0 || p.time.Minutes() < 4, "the disk was never full")
	check(out.damaged+file.damaged == 0, "there are damaged lines")
	check(p.load.wrong.Load() == 0, "connections ended otherwise than they should")
	check(p.rss <= p.first+growth, "katrace's memory grew")
	return errors.Join(wrong...)
}

func mib(kib int) float64 { return float64(kib) / 1024 }
