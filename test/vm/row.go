// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"katrace/test/vm/internal/wire"
)

// row is one guest of the matrix: one environment, every backend.
type row struct {
	env      environment
	staging  staging
	kernel   *kernel
	backends []string // whose cases are told apart
	tests    suite
	err      error  // the guest did not come up, or did not come to its end
	fault    string // what its kernel complained about
	seconds  float64
}

// stageRows makes a row of each environment, with its kernel in the cache.
func stageRows(ctx context.Context, envs []environment, more staging, asked []string, refresh bool) (rows []*row, err error) {
	var targets []target
	for _, e := range envs {
		t, err := parseTarget(e.kernel)
		if err != nil {
			return nil, err
		}
		s, err := e.staging()
		if err != nil {
			return nil, err
		}
		targets = append(targets, t)
		rows = append(rows, &row{env: e, staging: s.plus(more), backends: e.backends(asked)})
	}
	st, err := openStore(ctx, refresh, targets)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if r.kernel, err = st.get(ctx, targets[i], r.staging.modules); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (r *row) name() string { return r.env.name }

// besideTests is how many of test/e2e's tests that may run beside others do. With more of
// them the guest, one processor for all, is too slow for what they stage.
const besideTests = 3

// command runs the environment's end-to-end tests. The last of two -test.run,
// one of which may be behind it, is the one that counts.
func (r *row) command(asked string, limit time.Duration) []string {
	backends := asked // a test without cases takes any
	if len(r.backends) > 0 {
		backends = strings.Join(r.backends, ",")
	}
	args := []string{"/e2e.test", verbose, "-test.timeout=" + limit.String(), "-test.parallel=" + strconv.Itoa(besideTests), "-katrace", "/katrace", "-backend", backends}
	if r.env.tests != "" {
		args = append(args, "-test.run="+r.env.tests)
	}
	if r.env.flags != "" {
		args = append(args, "-flags", r.env.flags)
	}
	return args
}

func (r *row) ok() bool {
	return r.err == nil && r.fault == "" && r.tests.ok(r.backends)
}

// run boots the guest and fills the row in. Everything that the guest says
// goes into files in logs.
func (r *row) run(ctx context.Context, g *guest, logs string, say io.Writer) {
	k := &keeper{say: say, row: r}
	out, err := g.run(ctx, k, say)
	r.err = err
	r.seconds = out.total.Seconds()
	r.fault = kernelFault(out)
	if err == nil && len(out.hello.Problems) > 0 {
		r.err = fmt.Errorf("%s: the guest is of no use: %s", r.kernel, strings.Join(out.hello.Problems, "; "))
	}
	for what, text := range map[string][]byte{"console": out.console, "kernel": out.kernelLog, "tests": k.text.Bytes()} {
		if err := os.WriteFile(filepath.Join(logs, r.name()+"-"+what+".log"), text, 0o644); err != nil {
			fmt.Fprintln(say, "vm:", err)
		}
	}
	r.tests.log = parseTestLog(k.text.String())
	r.tests.ran = len(out.exits) == len(g.commands)
	for _, x := range out.exits {
		if r.tests.exit.Status == 0 && r.tests.exit.Error == "" { // the first that ended badly
			r.tests.exit = x
		}
	}
	fmt.Fprintf(say, "%s: off after %.1f s\n", r.name(), r.seconds)
}

// report tells what went wrong in this guest.
func (r *row) report() string {
	var b strings.Builder
	head := func(what string) { fmt.Fprintf(&b, "\n=== %s (%s), %s\n", r.name(), r.kernel.Version, what) }
	if r.err != nil {
		head("the guest")
		fmt.Fprintln(&b, r.err)
	}
	if r.fault != "" {
		head("its kernel")
		fmt.Fprintln(&b, r.fault)
	}
	if text := r.tests.report(r.backends); text != "" {
		head("the tests")
		b.WriteString(text)
	}
	return b.String()
}

// keeper keeps the tests' output and tells of progress in a line each.
type keeper struct {
	say  io.Writer
	row  *row
	text bytes.Buffer
}

func (k *keeper) hello(h wire.Hello) {
	fmt.Fprintf(k.say, "%s: %s is up\n", k.row.name(), h.Release)
	for _, note := range h.Notes {
		fmt.Fprintf(k.say, "%s: %s\n", k.row.name(), note)
	}
}

func (k *keeper) start(int) { k.row.tests.started = true }

func (k *keeper) output(_ int, _ wire.Kind, text []byte) { k.text.Write(text) }

func (k *keeper) exit(x wire.Exit) {
	fmt.Fprintf(k.say, "%s: exit status %d after %.1f s\n", k.row.name(), x.Status, x.Seconds)
}
