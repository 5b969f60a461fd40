// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/contained"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
	"katrace/internal/predict"
)

const predictLong = `katrace predict shows what the kernel does about a connection whose peer falls
silent: each probe, the giving up, and what the application then reads. It does
not touch the kernel.

Settings that are not given are those of this network namespace
(net.ipv4.tcp_keepalive_time, _intvl and _probes), or with --socket those of a
live socket, from where it stands now.

TCP_USER_TIMEOUT replaces the count: the connection is given up by the first
firing of the timer at which it has been idle for so long, if at least one
probe is out. The kernel's timers are late by up to an eighth, the later the
longer they run: "at the latest" says by how much.`

const predictExample = `  katrace predict                                        this namespace's defaults
  katrace predict --idle 60s --intvl 10s --cnt 6         a dead peer is found after 2 minutes
  katrace predict --idle 60s --user-timeout 30s          TCP_KEEPCNT is ignored
  katrace predict --idle 300s --idle-limit aws-nlb       does a probe get there in time?
  sudo katrace predict --socket 10.0.0.9:40122           a live connection`

// predictOptions say what to predict.
type predictOptions struct {
	output                   string
	idle, intvl, userTimeout time.Duration
	cnt                      int
	given                    conn.Setting   // which of them are on the command line
	idleLimit                conn.Middlebox // zero: none
	socket                   netip.AddrPort
	netns                    uint32 // of the socket, 0: this one
	hz                       jiffies.HZ
}

func newPredictCommand() *cobra.Command {
	o := predictOptions{output: "text"}
	cmd := &cobra.Command{
		Use:     "predict",
		Short:   "Show the timeline of a silent peer",
		Long:    predictLong,
		Example: predictExample,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := cmp.Or(o.validate(cmd.Flags()), needStdout("")); err != nil {
				return err
			}
			if o.hz, err = jiffies.Read(); err != nil {
				return err
			}
			return runPredict(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	o.addFlags(cmd)
	return cmd
}

func (o *predictOptions) addFlags(cmd *cobra.Command) {
	addFlags(cmd, groupSettings,
		flagSpec{name: "idle", to: valueOf(&o.idle, parseSeconds), help: "TCP_KEEPIDLE: idle time before the first probe, 1s to 32767s; a bare number is seconds"},
		flagSpec{name: "intvl", to: valueOf(&o.intvl, parseSeconds), help: "TCP_KEEPINTVL: time between unanswered probes, 1s to 32767s; a bare number is seconds"},
		flagSpec{name: "cnt", to: valueOf(&o.cnt, parseCount), help: "TCP_KEEPCNT: unanswered probes before the giving up, 1 to 127"},
		flagSpec{name: "user-timeout", to: valueOf(&o.userTimeout, parseUserTimeout), help: "TCP_USER_TIMEOUT with its unit, such as 30s or 2500ms; 0: not set"},
		flagSpec{name: "socket", to: valueOf(&o.socket, parseSocket), help: "a live TCP socket with this address and port on either side; needs root"},
		flagSpec{name: "netns", to: valueOf(&o.netns, parseNetns), help: "the network namespace of --socket: its inode number, a path such as /proc/812/ns/net, or a name of ip netns (default: this one)", offer: netnsOffers},
		limitFlag(&o.idleLimit, "check whether probes come often enough for a middlebox with this idle timeout"))
	addFlags(cmd, groupOutput, outputFlag(&o.output, "", "text", "json"))
}

// validate holds the flags against each other.
func (o *predictOptions) validate(flags *pflag.FlagSet) error {
	for flag, is := range map[string]conn.Setting{"idle": conn.SettingIdle, "intvl": conn.SettingInterval, "cnt": conn.SettingCount} {
		if flags.Changed(flag) {
			o.given |= is
		}
	}
	switch {
	case o.socket.IsValid() && (o.given != 0 || flags.Changed("user-timeout")):
		return usagef("--socket %q: has its own settings; leave --idle, --intvl, --cnt and --user-timeout out", o.socket)
	case o.netns != 0 && !o.socket.IsValid():
		return usagef("--netns %q: says where --socket is; without it the sysctls of this network namespace are taken", flags.Lookup("netns").Value)
	}
	return nil
}

func parseCount(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n < 1 || n > 127 {
		return 0, errors.New("want a number from 1 to 127, as the kernel does")
	}
	return int(n), nil
}

func parseSocket(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Port() == 0 {
		return a, errors.New("want an address and a port, such as 10.0.0.9:40122 or [2001:db8::1]:443")
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// parseSeconds reads a whole number of seconds within the kernel's bounds
// (MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL in include/net/tcp.h).
func parseSeconds(s string) (time.Duration, error) {
	d, err := parseTime(s)
	if err != nil || d < time.Second || d > conn.MaxSettable || d%time.Second != 0 {
		return 0, errors.New("want whole seconds from 1s to 32767s, as the kernel does")
	}
	return d, nil
}

// parseUserTimeout reads a TCP_USER_TIMEOUT: whole milliseconds, an int in the
// kernel. A bare number is refused: it would be milliseconds for setsockopt and
// seconds for the flags beside it.
func parseUserTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch _, bare := strconv.ParseFloat(s, 64); {
	case bare == nil && d != 0, err != nil:
		return 0, errors.New("want a time with its unit, such as 30s or 2500ms, or 0 (not set)")
	case d < 0, d > (1<<31-1)*time.Millisecond, d%time.Millisecond != 0:
		return 0, errors.New("want whole milliseconds up to 2147483647ms, as the kernel does")
	}
	return d, nil
}

// parseTime reads a duration; a bare number is seconds.
func parseTime(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	return time.ParseDuration(s)
}

func runPredict(ctx context.Context, o predictOptions, out io.Writer) error {
	var writes writing
	return untilInterrupted(ctx, &writes, func(ctx context.Context) error {
		if err := writePrediction(ctx, o, writes.watch(out)); ctx.Err() == nil {
			return err
		}
		return nil // interrupted: done
	})
}

func writePrediction(ctx context.Context, o predictOptions, out io.Writer) error {
	var p *predict.Prediction
	var err error
	if o.socket.IsValid() {
		p, err = predictSocket(ctx, &o)
	} else {
		p, err = predictSettings(&o)
	}
	if err != nil {
		return err
	}
	var text []byte
	if o.output == "json" {
		text = append(p.AppendJSON(nil), '\n')
	} else {
		text = p.AppendText(nil)
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("write the prediction: %w", err)
	}
	return nil
}

func predictSettings(o *predictOptions) (*predict.Prediction, error) {
	s, err := inventory.Defaults()
	if err != nil && o.given != conn.AllSettings {
		return nil, fmt.Errorf("read this namespace's defaults: %w (give --idle, --intvl and --cnt)", err)
	}
	return predictDefaults(o, s), nil
}

// predictDefaults is the prediction for the settings that are given, and those
// of the sysctls in place of the others.
func predictDefaults(o *predictOptions, s conn.Settings) *predict.Prediction {
	if o.given&conn.SettingIdle != 0 {
		s.Idle = o.idle
	}
	if o.given&conn.SettingInterval != 0 {
		s.Interval = o.intvl
	}
	if o.given&conn.SettingCount != 0 {
		s.Count = o.cnt
	}
	s.UserTimeout = o.userTimeout
	s.Inherited = conn.AllSettings &^ o.given
	return predict.OfSettings(s, o.idleLimit, o.hz)
}

// predictSocket finds the one live socket that is meant.
func predictSocket(ctx context.Context, o *predictOptions) (*predict.Prediction, error) {
	var where inventory.Options
	if o.netns != 0 {
		where.Filter.Netns = []uint32{o.netns}
	}
	l, err := inventory.Snapshot(ctx, where)
	if err != nil {
		return nil, err
	}
	var s *inventory.Socket
	for i := range l.Sockets {
		c := &l.Sockets[i]
		// Of a connection within this machine the end with that local address is meant.
		if !c.Connected() || c.Local != o.socket && (c.Remote != o.socket || s != nil && s.Local == o.socket) {
			continue
		}
		if s != nil && s.Local != o.socket && c.Local != o.socket || s != nil && s.Local == o.socket && c.Local == o.socket {
			return nil, fmt.Errorf("%s: several connections, such as %s > %s and %s > %s; name the other end's address",
				o.socket, s.Local, s.Remote, c.Local, c.Remote)
		}
		s = c
	}
	if s == nil {
		if o.netns != 0 {
			return nil, fmt.Errorf("%s: no TCP connection of network namespace %d has this address on either side (see katrace list --netns %d)", o.socket, o.netns, o.netns)
		}
		return nil, fmt.Errorf("%s: no TCP connection of this network namespace has this address on either side (see katrace list --all-netns; --netns looks elsewhere)", o.socket)
	}
	name := fmt.Sprintf("%s > %s", s.Local, s.Remote)
	switch {
	case s.Has&conn.HasKeepalive == 0 && s.Process.PID == 0:
		return nil, &loader.UnsupportedError{Doing: name + ": read its settings", Err: errors.New("no process that may be seen holds it"),
			Hint: "the kernel tells them by BPF only, which needs CAP_BPF and CAP_PERFMON; " + contained.Remedy()}
	case s.Has&conn.HasKeepalive == 0:
		return nil, &loader.UnsupportedError{Doing: name + ": read its settings", Err: os.ErrPermission, Hint: loader.Advice(unix.CAP_SYS_PTRACE)}
	case s.Stalled():
	case !s.On:
		return nil, fmt.Errorf("%s: SO_KEEPALIVE is off: no probe is ever sent, and an idle connection is never given up\nTo switch it on: %s (%s)", name, s.SetCommand("--on --idle 60s"), conn.DryRun)
	case s.Has&conn.HasDiesIn == 0:
		return nil, fmt.Errorf("%s: its data is on the way, and was not sent again so far: keepalive is in charge once all of it is acknowledged", name)
	}
	return predict.OfSocket(s, o.idleLimit, o.hz), nil
}
