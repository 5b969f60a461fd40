// SPDX-License-Identifier: BSD-2-Clause

// Command storm loads katrace as no machine does: hundreds of thousands of
// loopback connections, in a network namespace of their own, each of which
// probes its peer every few seconds. It runs each rate without and with
// katrace, with each set of flags, and says what the kernel counted, what katrace
// told, what its metrics say, and what both took.
//
//	go run ./test/storm -conns 500000 -rates 100000 -katrace bin/katrace
//
// Needs root, 10 kB of memory a connection and, for the JSON it records, about
// 600 bytes of disk an event until the run is over. With -katrace "" it only
// makes the load, for something else to look at.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"katrace/test/peers"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == workerArg {
		exit(work(os.Args[2:]))
	}
	var p plan
	var rates, args, beside string
	flag.IntVar(&p.conns, "conns", 500_000, "connections; each is two sockets, one of which probes")
	flag.StringVar(&rates, "rates", "100000", "probes a second, several parted by commas")
	flag.DurationVar(&p.time, "time", 15*time.Second, "how long to measure at each rate")
	flag.StringVar(&p.katrace, "katrace", "bin/katrace", `the katrace to load; "" makes the load only`)
	flag.StringVar(&args, "args", "-o json; -o json --metrics SOCKET; -o json --changes --metrics SOCKET",
		"its flags, parted by spaces; several sets, each of which is run, by semicolons; SOCKET is where the metrics are then asked for")
	flag.StringVar(&p.dir, "dir", "", "where its output goes until it is counted (the system's folder for such)")
	flag.IntVar(&p.backlog, "backlog", 0, "what to raise net.core.netdev_max_backlog to meanwhile; 0 leaves it")
	flag.BoolVar(&p.unknown, "unknown", false, "connect anew once katrace runs, so that it knows no socket's owner")
	flag.StringVar(&beside, "peers", "", "other tools, parted by commas, that the same load is run beside; then a table compares them: "+strings.Join(peers.Names(), ","))
	flag.IntVar(&p.runs, "runs", 3, "with -peers: how often; medians are shown")
	flag.BoolVar(&p.instructions, "instructions", false, "with -peers, in a guest whose clock counts instructions: show them by the probe")
	flag.Parse()
	if beside != "" {
		p.peers = strings.Split(beside, ",")
	}
	for set := range strings.SplitSeq(args, ";") {
		p.args = append(p.args, strings.Fields(set))
	}
	for _, s := range strings.Split(rates, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			exit(fmt.Errorf("-rates %q: want whole numbers over 0, parted by commas", rates))
		}
		p.rates = append(p.rates, n)
	}
	signal.Ignore(syscall.SIGPIPE) // a worker that has gone is an error of write
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := p.run(ctx)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
