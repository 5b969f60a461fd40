// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"katrace/internal/change"
	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

const setLong = `katrace set changes the keepalive settings of sockets that are open, of programs
that run: no restart, and no help of the program's is needed. It sets what is
given and leaves the rest. Without --apply it is a dry run: it lists each socket
with its owner, before and after, and changes nothing.

It gets a descriptor of its own for the socket (pidfd_getfd), sets the options,
reads every value back and closes the descriptor. The program does not notice.
A socket that several processes share is set once; an MPTCP socket with all its
subflows. Connections that the program makes later have the program's own
settings again; with --listening those that a listening socket accepts have
these.

What cannot be set is listed with the reason, and the exit status is 1: a
connection that nobody has accepted yet, one that its process has closed, the
kernel's own sockets.

With --apply a line on stderr says who runs it. --log-file writes an event "set"
for each socket: who, what, before and after. It may be the file of a katrace
that traces.

--undo-file keeps the old values, and --undo puts them back on those sockets
that are still the same. A value that came from a sysctl then is the socket's
own: the kernel has no way back to the sysctl.

--rearm arms timers anew that were armed before a sysctl changed (NEXT with * in
katrace list): by TCP_KEEPIDLE where the socket has one of its own, otherwise by
SO_KEEPALIVE off and on, after which the timer runs for the whole idle time.`

const setExample = `  sudo katrace set --container 3f2a9c0d --remote-port 6379 --on --idle 60s --intvl 10s --cnt 6
                                          what would change
  sudo katrace set --container 3f2a9c0d --remote-port 6379 --on --idle 60s --intvl 10s --cnt 6 --apply --undo-file before.json
  sudo katrace set --undo before.json --apply
  sudo katrace set --remote-port 443 --idle-limit aws-nlb --on --idle 300s
                                          only those that the load balancer may forget
  sudo katrace set --comm java --rearm --apply
                                          after sysctl -w net.ipv4.tcp_keepalive_time=60`

// setOptions say what to set, and on which sockets.
type setOptions struct {
	output    string
	inventory inventory.Options
	filter    events.Filter
	names     nameOptions
	idleLimit conn.Middlebox // zero: none
	listening bool
	on, off   bool
	want      change.Values
	rearm     bool
	apply     bool
	force     bool
	undoFile  string // "": none
	undo      string // "": no undo
	logFile   string // "": none
	host      string // "": lines of the log file do not say which
	debug     bool
	hz        jiffies.HZ
}

func newSetCommand() *cobra.Command {
	o := setOptions{output: "table", inventory: inventory.Options{Method: inventory.Auto}}
	cmd := &cobra.Command{
		Use:     "set",
		Short:   "Change the keepalive settings of live sockets",
		Long:    setLong,
		Example: setExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(o.validate(cmd.Flags()), needStdout("")); err != nil {
				return err
			}
			if err := refuseMissing(&o.filter, &o.names, os.Stderr); err != nil {
				return err
			}
			o.debug, _ = cmd.Flags().GetBool("debug")
			return runSet(cmd.Context(), &o)
		},
	}
	methods := []string{string(inventory.Auto), string(inventory.BPF), string(inventory.Netlink)}
	addFilterFlags(cmd, groupSockets, &o.filter, limitFlag(&o.idleLimit, "only connections on which a probe may come later than this"))
	addFlags(cmd, groupSockets,
		flagSpec{name: "listening", to: &o.listening, help: "also listening sockets: what they accept from then on inherits"},
		flagSpec{name: "all-netns", to: &o.inventory.AllNetns, help: "sockets of all network namespaces, not only of this one; so do --pid, --comm, --cgroup, --container and --pod, unless --netns is given"})
	o.names.register(cmd, groupSockets)
	w := &o.want
	addFlags(cmd, groupChange,
		flagSpec{name: "on", to: &o.on, help: "switch SO_KEEPALIVE on"},
		flagSpec{name: "off", to: &o.off, help: "switch SO_KEEPALIVE off"},
		flagSpec{name: "idle", to: valueOf(&w.Idle, parseSeconds), help: "TCP_KEEPIDLE: idle time before the first probe, 1s to 32767s; a bare number is seconds"},
		flagSpec{name: "intvl", to: valueOf(&w.Interval, parseSeconds), help: "TCP_KEEPINTVL: time between unanswered probes, 1s to 32767s; a bare number is seconds"},
		flagSpec{name: "cnt", to: valueOf(&w.Count, parseCount), help: "TCP_KEEPCNT: unanswered probes before the giving up, 1 to 127"},
		flagSpec{name: "user-timeout", to: valueOf(&w.UserTimeout, parseUserTimeout), help: "TCP_USER_TIMEOUT with its unit, such as 30s or 2500ms; 0: not set"},
		flagSpec{name: "rearm", to: &o.rearm, help: "arm timers anew that were armed before a sysctl changed"},
		flagSpec{name: "undo", to: &o.undo, help: "put back the old values that this file has (--undo-file)", offer: files})
	addFlags(cmd, groupApply,
		flagSpec{name: "apply", to: &o.apply, help: "do it; without it nothing is changed"},
		flagSpec{name: "undo-file", to: &o.undoFile, help: "keep the old values in this file, which must not exist", offer: files},
		flagSpec{name: "force", to: &o.force, help: "allow --idle below " + conn.LeastIdle.String()},
		flagSpec{name: "method", to: choice(&o.inventory.Method, methods), help: "how to find the sockets: " + anyOf(methods), values: methods}, btfFlag(&o.inventory.BTF))
	addFlags(cmd, groupOutput, outputFlag(&o.output, " (one object a socket)", "table", "json"),
		flagSpec{name: "log-file", to: &o.logFile, help: "append an event \"set\" for each socket that is changed to this file, which may be that of a katrace that traces", offer: files},
		hostFlag(&o.host))
	return cmd
}

// validate holds the flags against each other.
func (o *setOptions) validate(flags *pflag.FlagSet) (err error) {
	w := &o.want
	for flag, is := range map[string]change.Field{"idle": change.Idle, "intvl": change.Interval, "cnt": change.Count, "user-timeout": change.UserTimeout} {
		if flags.Changed(flag) {
			w.Known |= is
		}
	}
	if o.on || o.off {
		w.Known, w.On = w.Known|change.On, o.on
	}
	filtered := filterWords(flags) != "" || o.idleLimit.Forgets > 0
	switch {
	case o.on && o.off:
		return usagef("--on with --off: want one of them")
	case o.off && w.Known&(change.Idle|change.Interval|change.Count) != 0:
		return usagef("--off with --idle, --intvl or --cnt: without keepalive they say nothing")
	case o.undo != "" && (w.Known != 0 || o.rearm):
		return usagef("--undo %q: the file says what to set; leave the other settings out", o.undo)
	case o.undo != "" && (filtered || o.listening || o.undoFile != ""):
		return usagef("--undo %q: the file says which sockets; leave filters, --listening and --undo-file out", o.undo)
	case o.rearm && (w.Known != 0 || o.listening || o.undoFile != ""):
		return usagef("--rearm: changes no setting; leave settings, --listening and --undo-file out")
	case w.Known == 0 && !o.rearm && o.undo == "":
		return usagef("nothing to set: want --on, --off, --idle, --intvl, --cnt, --user-timeout, --rearm or --undo")
	case !filtered && o.undo == "":
		return usagef("no filter: which sockets? (--pid, --container, --remote-port, --addr and so on; --addr 0.0.0.0/0,::/0 is all)")
	case o.undoFile != "" && !o.apply:
		return usagef("--undo-file %q: nothing is changed without --apply", o.undoFile)
	case o.logFile != "" && !o.apply:
		return usagef("--log-file %q: nothing is changed without --apply", o.logFile)
	case o.logFile != "" && (o.logFile == o.undoFile || o.logFile == o.undo): // before anything is opened
		return o.hasOldValues()
	case o.host != "" && o.logFile == "":
		return usagef("--host: only the lines of --log-file say it")
	case w.Known&change.Idle != 0 && w.Idle < conn.LeastIdle && !o.force:
		return usagef("--idle %s: below %s every socket sends a probe every few seconds (--force allows it)", w.Idle, conn.LeastIdle)
	}
	if err := refuseNever(&o.filter); err != nil {
		return err
	}
	o.inventory.Filter, o.inventory.Names = o.filter.Socket, o.names.open()
	// An owner's sockets are wanted wherever they are.
	o.inventory.AllNetns = o.inventory.AllNetns || o.filter.Owner.Any() || o.undo != ""
	o.inventory.States = allButTimeWait()
	o.hz, err = jiffies.Read()
	return err
}

// wants tests what inventory.Snapshot has not tested.
func (o *setOptions) wants(s *inventory.Socket) bool {
	switch {
	case s.TCPState == conn.TCPListen:
		if !o.listening {
			return false
		}
	case s.TCPState != conn.TCPSynSent && !s.Connected():
		return false
	}
	if o.idleLimit.Forgets > 0 && !s.Late(o.idleLimit, o.hz) {
		return false
	}
	return o.filter.Owner.Match(&s.Owner)
}

// setNeeds are the capabilities that finding and borrowing sockets takes.
var setNeeds = append([]int{unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON}, owner.Needs...)

func runSet(ctx context.Context, o *setOptions) (err error) {
	noteCgroup(&o.filter)
	r := &change.Request{Want: o.want, Rearm: o.rearm, Apply: o.apply, HZ: o.hz}
	var entries []change.Entry
	if o.undo != "" {
		if entries, err = readUndo(o.undo); err != nil {
			return err
		}
	}
	if o.logFile != "" {
		log, err := openSetLog(o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, log.file.Close()) }()
		r.Told = log.write
	}
	if o.undoFile != "" {
		if r.Log, err = change.CreateLog(o.undoFile); err != nil {
			return fmt.Errorf("--undo-file: %w", err)
		}
		defer func() { err = errors.Join(err, r.Log.Close()) }()
	}
	lister, err := inventory.Open(o.inventory)
	if err != nil {
		return err
	}
	defer lister.Close()
	// What is left is what it takes to find sockets and to borrow them.
	if err := loader.DropPrivileges(setNeeds...); err != nil {
		fmt.Fprintf(os.Stderr, "katrace: all privileges are kept: %v\n", err)
	}
	l, err := lister.Snapshot(ctx)
	if err != nil {
		return err
	}
	for _, line := range setNotes(l) {
		fmt.Fprintln(os.Stderr, line)
	}
	if o.debug {
		sayTook(os.Stderr, l, 0)
	}
	r.List = func(ctx context.Context) ([]inventory.Socket, error) {
		again, err := lister.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		return again.Sockets, nil
	}
	r.Unseen = l.Unseen
	if o.apply {
		fmt.Fprintln(os.Stderr, "katrace: "+auditLine(time.Now()))
	}
	var results []*change.Result
	var stopped error
	if o.undo != "" {
		results, stopped = r.Undo(ctx, entries, l.Sockets)
	} else {
		results, stopped = r.Do(ctx, o.chosen(l))
	}
	var writes writing
	err = untilBlocked(ctx, &writes, func(context.Context) error { return o.show(&writes, results) })
	if stopped != nil && ctx.Err() == nil {
		err = errors.Join(err, stopped)
	}
	return err
}

// setNotes are what is said of a list of sockets to be set. Of settings that are not
// known each row says so; by a name that is not known none may be chosen.
func setNotes(l *inventory.List) []string {
	return lackNotes(slices.DeleteFunc(slices.Clone(l.Lacks), func(lack inventory.Lack) bool { return lack.Sockets > 0 && lack.What != inventory.LateNames }))
}

func readUndo(path string) ([]change.Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--undo: %w", err)
	}
	defer func() { _ = file.Close() }()
	entries, cut, err := change.ReadLog(file)
	if err != nil {
		return nil, fmt.Errorf("--undo %q: %w", path, err)
	}
	if cut {
		fmt.Fprintf(os.Stderr, "katrace: --undo %q: line %d is cut off, as a full disk leaves it: left out\n", path, len(entries)+1)
	}
	return entries, nil
}

// chosen are the sockets that are wanted, by network namespace and addresses.
func (o *setOptions) chosen(l *inventory.List) []inventory.Socket {
	l.Keep(o.wants)
	slices.SortFunc(l.Sockets, func(a, b inventory.Socket) int {
		return cmp.Or(cmp.Compare(a.Netns, b.Netns), a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return l.Sockets
}

// show writes what became of the sockets, and on stderr what it comes to.
func (o *setOptions) show(writes *writing, results []*change.Result) error {
	w := bufio.NewWriterSize(writes.watch(os.Stdout), 64<<10)
	if o.output == "json" {
		var line []byte
		now := time.Now()
		for _, r := range results {
			line = append(r.AppendJSON(line[:0], now), '\n')
			_, _ = w.Write(line) // the error comes with Flush
		}
	} else if len(results) > 0 {
		change.WriteTable(w, results)
	}
	err := w.Flush()
	sum := change.Sum(results) // also where nobody reads the table: it was done
	for _, line := range sum.Lines(o.apply, o.undo != "") {
		fmt.Fprintln(writes.watch(os.Stderr), "katrace: "+line)
	}
	switch {
	case err != nil:
		return fmt.Errorf("write what was set: %w", err)
	case sum.Refused > 0 && sum.Refused == len(results):
		return &loader.UnsupportedError{Doing: "get the sockets from their processes", Err: os.ErrPermission,
			Hint: cmp.Or(inventory.UnseenAdvice(), inventory.RefusedAdvice())}
	case sum.Failed > 0:
		return errDisagrees
	}
	return nil
}
