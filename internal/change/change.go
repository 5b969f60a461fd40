// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/enum"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
)

// Outcome is what became of one socket.
type Outcome uint8

// The outcomes.
const (
	AsWanted    Outcome = iota + 1 // nothing was to be done
	WouldChange                    // a dry run
	Changed                        // and read back
	Closed                         // it has ended, or the socket of the undo file is not there any more
	Failed                         // Reason says why
)

var outcomeNames = enum.Names[Outcome]{What: "result", Words: []string{"", "as_wanted", "would_change", "changed", "closed", "failed"}}

// String is the name in the JSON.
func (o Outcome) String() string { return outcomeNames.Name(o) }

// Outcomes are all names.
func Outcomes() []string { return outcomeNames.All() }

// Result is what became of one socket.
type Result struct {
	Socket   *inventory.Socket // as it was listed
	Subflows int               // of an MPTCP socket, those that were listed; 0: it is none
	Before   Values            // the zero value: it could not be asked
	After    Values            // as read back; in a dry run as it would be
	Changes  Field             // that differ
	Sourced  conn.Setting      // of them, those that were the sysctl's before: they are the socket's own then
	Timer    *Rearming         // where it runs longer than the settings in force would set it, and is armed anew
	Outcome  Outcome
	Reason   string // why it failed
	refused  bool   // for want of privileges
	touched  bool   // setsockopt was called
}

// Request says what to do.
type Request struct {
	Want  Values // those that are Known are set
	Rearm bool   // arm timers anew that run longer than the settings in force would set them
	Apply bool   // false: a dry run, which only reads
	Log   *Log   // where the old values go before each change; nil: nowhere
	// Told is called for each socket on which something was set, right after it;
	// nil: nobody is told. After an error nothing more is set.
	Told func(*Result) error
	HZ   jiffies.HZ
	// List lists the sockets again: for those that have moved to another process
	// meanwhile, for MPTCP's subflows and for the timers.
	List func(context.Context) ([]inventory.Socket, error)
	// Unseen says that a network namespace may be there, but was not looked into; nil: all
	// were. Whether the sockets of an undo are there then is not known.
	Unseen func(netns uint32) bool
}

// target is one socket to be changed, and how.
type target struct {
	*Result
	want   Values
	cookie uint64 // it has to be; 0: any
	expect Values // what somebody else must not have changed: known in an undo
	moved  bool   // its holder let go of it before it could be borrowed, or none was found
}

// Do does it to the sockets, each once, and returns what became of each, in the
// order of the sockets. An error is one for which it stopped: what it had
// changed by then is in the results all the same.
func (r *Request) Do(ctx context.Context, sockets []inventory.Socket) ([]*Result, error) {
	targets := targetsOf(sockets)
	for _, t := range targets {
		t.want = r.Want
	}
	err := r.do(ctx, targets)
	return resultsOf(targets), err
}

// file is what the rows of a list share that are of one socket.
type file struct {
	netns uint32
	inode uint64
}

func fileOf(s *inventory.Socket) file { return file{s.Netns, s.Inode} }

// targetsOf makes one target of the rows that share a socket: MPTCP's subflows.
func targetsOf(sockets []inventory.Socket) (targets []*target) {
	seen := map[file]*target{}
	for i := range sockets {
		s := &sockets[i]
		of := fileOf(s)
		if t := seen[of]; t != nil && s.Inode != 0 {
			t.Subflows = max(t.Subflows, 1) + 1
			continue
		}
		t := &target{Result: &Result{Socket: s}}
		seen[of] = t
		targets = append(targets, t)
	}
	return targets
}

func resultsOf(targets []*target) (results []*Result) {
	for _, t := range targets {
		results = append(results, t.Result)
	}
	return results
}

// do does it to each, a process at a time; then once more to those that were
// handed on to another process meanwhile, or for which no holder was found; and looks
// at what only a list shows.
func (r *Request) do(ctx context.Context, targets []*target) error {
	err := r.pass(ctx, targets)
	moved := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool { return !t.moved })
	look := slices.DeleteFunc(slices.Clone(targets), func(t *target) bool {
		return t.Outcome != Changed || t.Subflows == 0 && t.Timer == nil
	})
	if err != nil || len(moved)+len(look) == 0 || r.List == nil {
		return err
	}
	again, err := r.List(ctx)
	if err != nil {
		for _, t := range look {
			t.fail("it was changed, but the sockets cannot be listed again to check it: %v", err)
		}
		for _, t := range moved {
			if t.Outcome == Closed {
				t.fail("its process has let go of it, and the sockets cannot be listed again to find it: %v", err)
			}
		}
		return nil
	}
	rows := map[file][]*inventory.Socket{}
	for i := range again {
		of := fileOf(&again[i])
		rows[of] = append(rows[of], &again[i])
	}
	for _, t := range look {
		t.check(rows[fileOf(t.Socket)], r.HZ)
	}
	still := moved[:0]
	for _, t := range moved {
		switch s := sameOf(rows[fileOf(t.Socket)], t.Socket); {
		case s != nil:
			t.Socket, t.Reason, t.refused = s, "", false
			still = append(still, t)
		case r.Unseen == nil || !r.Unseen(t.Socket.Netns):
			t.Outcome, t.Reason, t.refused = Closed, "", false
		}
	}
	if err := r.pass(ctx, still); err != nil {
		return err
	}
	for _, t := range still {
		if t.moved && t.Outcome == Closed {
			t.fail("its holders hand it on faster than it can be followed")
		}
	}
	return nil
}

// sameOf is the row of the same connection; nil: none.
func sameOf(rows []*inventory.Socket, as *inventory.Socket) *inventory.Socket {
	for _, s := range rows {
		if s.Inode != 0 && s.Local == as.Local && s.Remote == as.Remote {
			return s
		}
	}
	return nil
}

// pass goes through the targets, those of one process in a row.
func (r *Request) pass(ctx context.Context, targets []*target) error {
	order := slices.Clone(targets)
	slices.SortStableFunc(order, func(a, b *target) int {
		return cmp.Compare(a.Socket.Process.PID, b.Socket.Process.PID)
	})
	var b inventory.Borrower
	defer b.Close()
	for i, t := range order {
		err, why := ctx.Err(), "interrupted"
		if err == nil {
			if err = r.one(&b, t); err != nil {
				why = err.Error()
			}
		}
		if err == nil {
			continue
		}
		for _, t := range order[i:] {
			if !t.touched {
				t.fail("not reached: %s", why)
			}
		}
		return err
	}
	return nil
}

func (t *target) fail(format string, args ...any) {
	t.Outcome, t.Reason = Failed, fmt.Sprintf(format, args...)
}

// refuse is fail for want of privileges.
func (t *target) refuse(format string, args ...any) {
	t.fail(format, args...)
	t.refused = true
}

// one does it to one socket. An error is one for which to stop.
func (r *Request) one(b *inventory.Borrower, t *target) error {
	t.moved = false
	if why := t.Socket.Unheld(); why != "" {
		t.fail("%s", why)
		if advice := inventory.UnseenAdvice(); why == inventory.Unseen && advice != "" {
			t.refuse("%s (%s)", why, advice)
		}
		t.moved = why == inventory.Unseen // or it was closed between the list and the look for its holder
		return nil
	}
	fd, err := b.Borrow(t.Socket)
	switch {
	case err == nil:
	case errors.Is(err, os.ErrNotExist):
		t.Outcome, t.moved = Closed, true
		return nil
	case errors.Is(err, inventory.ErrRefused):
		t.refuse("its process may not be asked for it (%s)", inventory.RefusedAdvice())
		return nil
	default:
		t.fail("%v", err)
		return nil
	}
	// As long as it is open this descriptor is that socket, whatever the holder
	// does with its own.
	defer func() { _ = unix.Close(fd) }()
	who, err := identify(fd)
	switch {
	case err != nil:
		t.fail("%v", err)
		return nil
	case who.closed || !who.is(t):
		t.Outcome = Closed
		return nil
	}
	if who.mptcp {
		t.Subflows = max(t.Subflows, 1)
	}
	t.Before = read(fd)
	settable := t.Before.Known
	if who.mptcp {
		t.fromSubflow()
	}
	if r.Rearm {
		return r.rearm(fd, t)
	}
	t.Changes = t.want.Differs(&t.Before)
	t.After = t.Before.With(&t.want)
	t.Sourced |= sourced(t.Socket, t.Changes)
	if t.foreign() {
		return nil
	}
	if missing := t.want.Known &^ settable; missing != 0 && (t.Changes|t.want.Known&^t.Before.Known)&missing != 0 {
		t.fail("%s", lacks(missing, who.mptcp))
		return nil
	}
	if bad := unsettable(&t.want) & t.Changes; bad != 0 {
		t.fail("setsockopt takes no such value, a sysctl may: %s", join(bad.Names()))
		return nil
	}
	t.rearmByIdle()
	switch {
	case t.Changes == 0 && t.Timer == nil:
		t.Outcome = AsWanted
		return nil
	case !r.Apply:
		t.Outcome = WouldChange
		return nil
	}
	if t.Changes != 0 {
		if err := r.Log.write(t, who.cookie); err != nil {
			return err // no change without its old values
		}
	}
	t.apply(fd)
	return r.tell(t)
}

// tell says what was set.
func (r *Request) tell(t *target) error {
	t.touched = true
	if r.Told == nil {
		return nil
	}
	return r.Told(t.Result)
}

// foreign says that somebody else has changed meanwhile what an undo is about.
func (t *target) foreign() bool {
	theirs := t.expect.Differs(&t.Before) & t.Changes
	if theirs != 0 {
		t.fail("changed by somebody else since: %s", join(theirs.Names()))
	}
	return theirs != 0
}

// apply sets what differs, and reads it back.
func (t *target) apply(fd int) {
	set := t.Changes
	if t.Changes&On != 0 && t.want.On || t.Timer != nil {
		set |= t.want.Known & Idle // so that the timer counts how long it has been idle
	}
	var refused []string
	for _, o := range options {
		if set&o.is == 0 {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.code, t.want.Number(o.is)); err != nil {
			refused = append(refused, fmt.Sprintf("setsockopt %s: %v", o.option, err))
		}
	}
	wanted := t.After
	t.After = read(fd)
	if t.Subflows > 0 {
		t.After = wanted // check looks at the subflows: the socket itself may tell otherwise
	}
	t.Changes = t.After.Differs(&t.Before)
	switch wrong := t.want.Differs(&t.After); {
	case refused != nil:
		t.fail("%s", join(refused))
	case wrong != 0:
		t.fail("the kernel has another %s than was set: somebody else changes this socket, too", join(wrong.Names()))
	default:
		t.Outcome = Changed
	}
}

// sourced are the settings among the changes that came from a sysctl.
func sourced(s *inventory.Socket, changes Field) conn.Setting {
	if s.Has&conn.HasKeepalive == 0 {
		return 0
	}
	return s.Keepalive.Inherited & settings(changes)
}

// settings are those of the fields that a sysctl may stand for.
func settings(f Field) (set conn.Setting) {
	for field, is := range map[Field]conn.Setting{Idle: conn.SettingIdle, Interval: conn.SettingInterval, Count: conn.SettingCount} {
		if f&field != 0 {
			set |= is
		}
	}
	return set
}

func lacks(missing Field, mptcp bool) string {
	var names []string
	for _, o := range options {
		if missing&o.is != 0 {
			names = append(names, o.option)
		}
	}
	if mptcp {
		return "this kernel's MPTCP sockets have no " + join(names)
	}
	return "this socket has no " + join(names)
}
