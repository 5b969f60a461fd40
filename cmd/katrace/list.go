// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"context"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
)

var listLong = `katrace list shows every TCP socket once: whether SO_KEEPALIVE is on, the idle
time, interval, count and user timeout in force and where each comes from, what
its timer waits for, when the next probe is due and when the kernel gives up if
the peer is silent from now on, and who holds it.

By a BPF iterator where the kernel and the privileges allow it, otherwise by
sock_diag and by asking the sockets through their processes (pidfd_getfd). The
latter cannot tell a value that was set from an inherited one where both are
the same, nor when the kernel gives up data that it sends again and again, or a
closed window. What is not known is "?" in the table and absent in the JSON.

Columns:
` + inventory.ColumnsHelp() + `

An owner marked +2 shares the socket with two more processes; "(not accepted
yet)" waits in that process's accept queue, "(thread)" and "(io_uring)" are not
in its own descriptor table, "kernel" is the kernel's own socket, and "uid 0" is
one for which no descriptor was found.

Connections in time_wait, which no process holds, are listed with --state only.

With --by there is one row for all connections that have something in common, or
several things: --by remote,service. Filters such as --off choose the
connections before they are grouped; --sort and --limit are about the groups.
The worst come first: those with the most silent or suspended connections, then
the largest. Only connections are grouped, unless --state asks for other
sockets. Columns, first those of the keys:
` + inventory.GroupColumnsHelp()

const listExample = `  sudo katrace list                       every TCP socket of this network namespace
  sudo katrace list --all-netns --off     those without keepalive, everywhere
  sudo katrace list --idle-limit aws-nlb  those that a load balancer may forget between two probes
  sudo katrace list --port 5432 -o json   PostgreSQL's, as JSON lines
  sudo katrace list --sort dies --watch   who dies next, every two seconds, as many as fit
  sudo katrace list --sort dies --limit 9 the next nine
  sudo katrace list --all-netns --by remote,service --watch
                                          which peers are in trouble, and how many connections to each
  sudo katrace list --all-netns --off --by service
                                          the services whose connections have keepalive off`

// listOptions say what to list, and how to show it.
type listOptions struct {
	output      string
	inventory   inventory.Options
	filter      events.Filter
	names       nameOptions
	off         bool
	silent      bool
	idleLimit   conn.Middlebox // zero: none
	by          group.Keys     // groups of sockets that have these in common; nil: each socket
	connections bool           // leave out all else, such as what listens
	sort        string         // one of inventory.Orders, or with by of inventory.GroupOrders; "": the default
	limit       int            // rows to show at most, 0: all
	watch       time.Duration  // 0: once
	debug       bool
	hz          jiffies.HZ
	remedy      string // the filters, as katrace set takes them; "": not all of them
}

func newListCommand() *cobra.Command {
	o := listOptions{output: "table", inventory: inventory.Options{Method: inventory.Auto}}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List TCP sockets with their keepalive settings",
		Long:    listLong,
		Example: listExample,
		// "--watch 5s" is an argument to the flags' parser: the flag may stand alone.
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && cmd.Flags().Changed("watch") && cmd.Flags().Set("watch", args[0]) == nil {
				return nil
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(o.validate(), needStdout("")); err != nil {
				return err
			}
			if err := refuseMissing(&events.Filter{Owner: conn.OwnerFilter{PIDs: o.filter.Owner.PIDs, Containers: o.filter.Owner.Containers, Pods: o.filter.Owner.Pods}}, &o.names, os.Stderr); err != nil {
				return err
			}
			o.debug, _ = cmd.Flags().GetBool("debug")
			o.remedy = o.setFilters(cmd.Flags())
			return runList(cmd.Context(), o, os.Stdout)
		},
	}
	methods := []string{string(inventory.Auto), string(inventory.BPF), string(inventory.Netlink)}
	addFlags(cmd, groupList,
		flagSpec{name: "all-netns", to: &o.inventory.AllNetns, help: "sockets of all network namespaces, not only of this one; so do --pid, --comm, --cgroup, --container and --pod, unless --netns is given"},
		flagSpec{name: "off", to: &o.off, help: "only connections without keepalive"},
		flagSpec{name: "silent", to: &o.silent, help: "only connections whose peer left two probes or more unanswered"},
		limitFlag(&o.idleLimit, "only connections on which a probe may come later than this"),
		flagSpec{name: "state", to: listOf(&o.inventory.States, conn.ParseTCPState), help: "only sockets in this state: " + strings.Join(conn.TCPStates(), ", "), values: conn.TCPStates()})
	addFilterFlags(cmd, groupList, &o.filter)
	o.names.register(cmd, groupList)
	addFlags(cmd, groupAttach,
		flagSpec{name: "method", to: choice(&o.inventory.Method, methods), help: "how to list: " + anyOf(methods), values: methods}, btfFlag(&o.inventory.BTF))
	addFlags(cmd, groupOutput,
		outputFlag(&o.output, " (one object a socket, or a group)", "table", "json"),
		flagSpec{name: "by", to: listOf((*[]group.Key)(&o.by), group.ParseKey), help: "one row for all connections that have this in common, or all of these: " + strings.Join(group.KeyNames(), ", "), values: group.KeyNames()},
		flagSpec{name: "sort", to: &o.sort, help: "order: " + anyOf(inventory.Orders()) + "; with --by one of its keys, " + anyOf(inventory.GroupOrders(nil)) + " (default: local, and worst)", offer: o.offerOrders},
		flagSpec{name: "limit", to: &o.limit, help: "show this many rows at most, the first by --sort (default: all; with --watch what the terminal has room for)"},
		flagSpec{name: "watch", to: &o.watch, help: "list again every so often (alone: every 2s)", alone: "2s"})
	return cmd
}

// validate holds the flags against each other.
func (o *listOptions) validate() (err error) {
	if o.watch > 0 && o.watch < 100*time.Millisecond {
		return usagef("--watch %s: want 100ms or more", o.watch)
	}
	if err := cmp.Or(refuseNever(&o.filter), o.refuseNever()); err != nil {
		return err
	}
	for i, k := range o.by {
		if slices.Contains(o.by[:i], k) {
			return usagef("--by: %s is named twice", k)
		}
	}
	if orders := o.orders(); o.sort != "" && !slices.Contains(orders, o.sort) {
		return usagef("--sort %q: want %s", o.sort, anyOf(orders))
	}
	if len(o.inventory.States) == 0 {
		o.inventory.States = allButTimeWait()
		o.connections = len(o.by) > 0
	}
	o.inventory.Ports = o.by.Has(group.Service)
	o.inventory.Filter, o.inventory.Names = o.filter.Socket, o.names.open()
	// An owner's sockets are wanted wherever they are.
	o.inventory.AllNetns = o.inventory.AllNetns || o.filter.Owner.Any()
	o.hz, err = jiffies.Read()
	return err
}

// refuseNever refuses flags that no socket can match together.
func (o *listOptions) refuseNever() error {
	if o.off && o.silent {
		return usagef("--off with --silent: without keepalive no probe is sent")
	}
	states := o.inventory.States
	if len(states) == 0 {
		return nil
	}
	connected := func(s conn.TCPState) bool { return (&conn.State{TCPState: s}).Connected() }
	held := func(s conn.TCPState) bool { return s != conn.TCPTimeWait }
	for _, c := range []struct {
		flag  string
		given bool
		may   func(conn.TCPState) bool
		why   string
	}{
		{"--off", o.off, connected, "only connections have keepalive"},
		{"--silent", o.silent, connected, "only connections have keepalive"},
		{"--idle-limit", o.idleLimit.Forgets > 0, connected, "only connections are idle"},
		{"--pid, --comm, --cgroup, --container or --pod", o.filter.Owner.Any(), held, "nobody holds one"},
	} {
		if c.given && !slices.ContainsFunc(states, c.may) {
			return usagef("%s with --state %s: %s", c.flag, join(states), c.why)
		}
	}
	return nil
}

// orders are what --sort can be.
func (o *listOptions) orders() []string {
	if len(o.by) > 0 {
		return inventory.GroupOrders(o.by)
	}
	return inventory.Orders()
}

// offerOrders completes --sort.
func (o *listOptions) offerOrders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return o.orders(), cobra.ShellCompDirectiveNoFileComp
}

// allButTimeWait are the states that are listed where none is asked for: a busy
// server has more connections in time_wait than all others, and nobody holds one.
func allButTimeWait() (states []conn.TCPState) {
	for _, name := range conn.TCPStates() {
		if s, err := conn.ParseTCPState(name); err == nil && s != conn.TCPTimeWait {
			states = append(states, s)
		}
	}
	return states
}

// wants tests what inventory.Snapshot has not tested.
func (o *listOptions) wants(s *inventory.Socket) bool {
	if o.connections && !s.Connected() {
		return false
	}
	if o.off && (!s.Connected() || s.Has&inventory.HasOn == 0 || s.On) {
		return false
	}
	if o.silent && !s.Silent {
		return false
	}
	if o.idleLimit.Forgets > 0 && !s.Late(o.idleLimit, o.hz) {
		return false
	}
	return o.filter.Owner.Match(&s.Owner)
}

func runList(ctx context.Context, o listOptions, out *os.File) error {
	noteCgroup(&o.filter)
	lister, err := inventory.Open(o.inventory)
	if err != nil {
		return err
	}
	defer lister.Close()
	if o.watch == 0 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(-1) // nearly all that is allocated is needed to the end
	}
	var writes writing
	return untilInterrupted(ctx, &writes, func(ctx context.Context) error {
		for {
			l, err := lister.Snapshot(ctx)
			if err == nil {
				err = show(l, &o, out, &writes)
			}
			if err != nil || o.watch == 0 {
				if ctx.Err() != nil {
					return nil // interrupted: done
				}
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(o.watch):
			}
		}
	})
}
