// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/metrics"
)

// metricsOptions say which metrics are exposed where.
type metricsOptions struct {
	addr   string // "": they are not scraped
	file   string // "": they are in no file
	labels metrics.Labels
}

func (o *metricsOptions) wanted() bool { return o.addr != "" || o.file != "" }

// defaultOwners is how many owners have metrics of their own.
const defaultOwners = 50

func (o *metricsOptions) register(cmd *cobra.Command) {
	o.labels.Max = defaultOwners
	addFlags(cmd, groupMetrics,
		flagSpec{name: "metrics", to: valueOf(&o.addr, parseMetricsAddr), help: "let Prometheus scrape metrics at this address: 127.0.0.1:9435, unix:PATH, or fd://3 (a socket that the service manager opened)"},
		flagSpec{name: "metrics-file", to: &o.file, help: "write metrics to this file every 15s, for node_exporter's textfile collector", offer: files},
		flagSpec{name: "metrics-by", to: choice(&o.labels.Owner, metrics.Bys()), help: "also metrics by owner: " + anyOf(metrics.Bys()), values: metrics.Bys()},
		flagSpec{name: "metrics-max", to: &o.labels.Max, help: "at most so many owners, the others are counted together as ~other (default 50)"},
		flagSpec{name: "peer-group", to: listOf(&o.labels.Peers, parsePeerGroup), help: "also metrics by peer, for the peers of these networks: db=10.1.0.0/16"})
}

func (o *metricsOptions) validate() error {
	switch {
	case !o.wanted() && (o.labels.Owner != "" || len(o.labels.Peers) > 0 || o.labels.Max != defaultOwners):
		return usagef("--metrics-by, --metrics-max and --peer-group are about --metrics and --metrics-file")
	case o.labels.Owner == "" && o.labels.Max != defaultOwners:
		return usagef("--metrics-max is about the owners of --metrics-by (give --metrics-by)")
	}
	return nil
}

func parseMetricsAddr(s string) (string, error) {
	_, port, err := net.SplitHostPort(s)
	path, unix := strings.CutPrefix(s, "unix:")
	number, fd := strings.CutPrefix(s, "fd://")
	switch {
	case unix && path != "", fd && number != "", !unix && !fd && err == nil && port != "":
		return s, nil
	}
	return "", errors.New("want an address such as 127.0.0.1:9435, unix:/run/katrace.sock or fd://3")
}

// maxGroupName is more than a name on a dashboard has.
const maxGroupName = 64

func parsePeerGroup(s string) (metrics.PeerGroup, error) {
	name, network, ok := strings.Cut(s, "=")
	if !ok || name == "" || len(name) > maxGroupName || conn.Safe(name) != name {
		return metrics.PeerGroup{}, errors.New("want a name and a network, such as db=10.1.0.0/16")
	}
	if name == metrics.OtherPeer {
		return metrics.PeerGroup{}, fmt.Errorf("want another name: %q are the peers in no group", name)
	}
	prefix, err := parsePrefix(network)
	if err != nil {
		return metrics.PeerGroup{}, fmt.Errorf("%q: %w", network, err)
	}
	return metrics.PeerGroup{Name: name, Network: prefix}, nil
}
