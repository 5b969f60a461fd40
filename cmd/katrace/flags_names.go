// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/owner"
)

// nameOptions say where the names of pods and of containers are looked for.
type nameOptions struct {
	pods       podsDir
	containers bool
}

// podsDir is what --pods was given: "" and podsAuto are owner.PodLogs.
type podsDir string

const (
	podsAuto podsDir = "auto"
	podsOff  podsDir = "off"
)

func (o *nameOptions) register(cmd *cobra.Command, group string) {
	addFlags(cmd, group,
		flagSpec{name: "pods", to: valueOf(&o.pods, parsePods), help: "where the names of Kubernetes' pods are looked for: auto (" + owner.PodLogs + "), off, or a directory with the same names",
			values: []string{string(podsAuto), string(podsOff)}},
		flagSpec{name: "names", to: &o.containers, help: "also name containers as people do, by the files that Docker and Podman keep of them, in users' homes too"})
}

// dir is the directory; "" for none.
func (o *nameOptions) dir() string {
	switch o.pods {
	case "", podsAuto:
		return owner.PodLogs
	case podsOff:
		return ""
	}
	return string(o.pods)
}

func (o *nameOptions) open() *owner.Names { return owner.OpenNames(o.dir(), o.containers) }

func parsePods(s string) (podsDir, error) {
	if s == string(podsAuto) || s == string(podsOff) {
		return podsDir(s), nil
	}
	if st, err := os.Stat(s); err != nil || !st.IsDir() {
		return "", errors.New("want auto, off, or a directory as " + owner.PodLogs + " is")
	}
	return podsDir(s), nil
}

// refuseUnnamed refuses a filter by names that are not looked for, and says on
// stderr which of the pods have no directory now: they may yet come.
func (o *nameOptions) refuseUnnamed(f *conn.OwnerFilter, say io.Writer) error {
	if len(f.Pods) == 0 {
		return nil
	}
	if o.dir() == "" {
		return usagef("--pod with --pods off: no pod has a name then")
	}
	there := owner.Pods(o.dir())
	for _, p := range f.Pods {
		if !slices.Contains(there, p) {
			fmt.Fprintf(say, "katrace: --pod %s/%s: no such pod has a directory in %s now\n", p.Namespace, p.Name, conn.Safe(o.dir()))
		}
	}
	return nil
}

func parsePod(s string) (conn.PodName, error) {
	namespace, name, _ := strings.Cut(s, "/")
	p := conn.PodName{Namespace: namespace, Name: name}
	if !owner.IsPodName(p) {
		return conn.PodName{}, errors.New("want NAMESPACE/NAME of a Kubernetes pod, such as shop/cart-7d9f8b6c5-x2x4k")
	}
	return p, nil
}

// podOffers offers the pods of this host.
func podOffers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, p := range owner.Pods(owner.PodLogs) {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
