// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"katrace/test/vm/internal/wire"
)

// kernelTests are the tests of packages that show another thing on another kernel.
const kernelTests = "Agree|Loads|Scan|OtherProc|Settings|States|AllNetns"

// matrixCommand runs the end-to-end tests on every kernel and in every
// environment asked for, in a guest each, by all backends at once.
func matrixCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	var files fileList
	var env envList
	kernelList := flags.String("kernels", "", "kernels to test on, as SERIES[-FLAVOUR][-ARCH] (default: "+matrixNames()+"; none beside -environments)")
	environmentList := flags.String("environments", "", "kernels as people run them, to test on as well: "+environmentNames()+", or "+allEnvironments)
	backendList := flags.String("backends", "kprobe,fentry,tracepoint", "backends to test, side by side")
	jobs := flags.Int("jobs", 0, "guests side by side (0: a processor each, as far as memory goes)")
	mem := flags.Int("mem", 1024, "a guest's memory, MiB")
	cpus := flags.Int("smp", 2, "a guest's processors")
	timeout := flags.Duration("timeout", 10*time.Minute, "for a guest, from power-on to power-off")
	logs := flags.String("logs", "", "`directory` for the full logs (default: a new one, kept on failure)")
	tests := flags.String("tests", "test/e2e", "`directory` of the tests' package")
	wholeList := flags.String("whole", "5.10", "kernels that run all tests; the others run those of what moves between kernels ("+movingTests+")")
	also := flags.String("also", "internal/owner,internal/inventory", "`directories` of packages whose tests of the kernel run as well, with BPF required")
	program := flags.String("program", "cmd/katrace", "`directory` of the program's package")
	only := flags.String("run", "", "run only the tests that match this, as go test -run has it, such as TestCases/kprobe/vanished")
	refresh := flags.Bool("refresh", false, "ask the archive for newer kernels even if it was asked today")
	flags.Var(&files, "file", "`path[:guestpath]` of a file or directory to ship; may be repeated")
	flags.Var(&env, "env", "`KEY=value` for the tests' environment; may be repeated")
	var own staging
	own.addFlags(flags)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: vm matrix [flags] [-- arguments for the test binary…]")
		flags.PrintDefaults()
	}
	if err := parse(flags, args); err != nil {
		return err
	}
	if *kernelList == "" && *environmentList == "" {
		*kernelList = matrixNames()
	}
	envs, err := chooseEnvironments(*kernelList, *wholeList, *environmentList)
	if err != nil {
		return err
	}
	more := flags.Args()
	if *only != "" {
		more = append([]string{"-test.run=" + *only}, more...)
	}
	rows, err := stageRows(ctx, envs, own, strings.Split(*backendList, ","), *refresh)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "katrace-vm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	keep := *logs != ""
	if !keep {
		if *logs, err = os.MkdirTemp("", "katrace-vm-logs-*"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(*logs, 0o755); err != nil {
		return err
	}
	defer func() {
		if !keep {
			os.RemoveAll(*logs)
		}
	}()

	built := map[string]*programs{}
	var guests []*guest
	for _, r := range rows {
		k := r.kernel
		r.tests.only = *only
		p := built[k.Arch]
		if p == nil {
			if p, err = buildPrograms(ctx, work, k.Arch, *program, *tests, strings.Split(*also, ",")); err != nil {
				return err
			}
			built[k.Arch] = p
		}
		// The test binary's own limit comes first: it shows every goroutine.
		limit := *timeout * 9 / 10
		g := &guest{
			kernel:   k,
			machine:  machine{arch: k.Arch, memMiB: *mem, cpus: *cpus},
			staging:  r.staging,
			init:     p.init,
			files:    append([]shipped{{p.katrace, "/katrace"}, {p.tests, "/e2e.test"}}, files...),
			commands: []wire.Command{{Args: append(r.command(*backendList, limit), more...), Env: append([]string{"KATRACE_ENVIRONMENT=" + r.env.name}, env...)}},
			timeout:  *timeout,
		}
		for _, test := range p.also {
			if !r.env.list {
				break
			}
			to := "/" + filepath.Base(test)
			g.files = append(g.files, shipped{test, to})
			g.commands = append(g.commands, wire.Command{
				Args: []string{to, verbose, "-test.run=" + cmp.Or(*only, kernelTests), "-test.skip=Timeline", "-test.timeout=" + limit.String()}, Env: append([]string{"KATRACE_REQUIRE_BPF=1"}, env...),
			})
		}
		guests = append(guests, g)
	}

	sideBySide(ctx, jobCount(*jobs, *mem), len(rows), func(i int) {
		rows[i].run(ctx, guests[i], *logs, os.Stderr)
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	bad := report(os.Stdout, rows)
	if bad == 0 {
		return nil
	}
	keep = true
	fmt.Printf("\n%d of %d guests failed; full logs: %s\n", bad, len(rows), *logs)
	return errFailed
}

// chooseEnvironments are the kernels of a list and the environments of another.
func chooseEnvironments(kernelList, wholeList, environmentList string) (out []environment, err error) {
	whole, err := parseTargets(wholeList)
	if err != nil {
		return nil, fmt.Errorf("-whole: %w", err)
	}
	targets, err := parseTargets(kernelList)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		out = append(out, plain(t, slices.ContainsFunc(whole, func(w target) bool { return w.String() == t.String() })))
	}
	staged, err := findEnvironments(environmentList)
	return append(out, staged...), err
}

// report prints what failed, then the table, and counts the guests that failed.
func report(w io.Writer, rows []*row) (bad int) {
	for _, r := range rows {
		if !r.ok() {
			bad++
			fmt.Fprint(w, r.report())
		}
	}
	fmt.Fprintln(w)
	printTable(w, rows)
	return bad
}

// programs are what guests of one architecture get.
type programs struct {
	init, katrace, tests string
	also                 []string
}

func buildPrograms(ctx context.Context, work, arch, program, tests string, also []string) (*programs, error) {
	init, err := buildInit(ctx, work, arch)
	if err != nil {
		return nil, err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	inRoot := func(dir string) string {
		if filepath.IsAbs(dir) {
			return dir
		}
		return filepath.Join(root, dir)
	}
	p := &programs{init: init, katrace: filepath.Join(work, "katrace-"+arch), tests: filepath.Join(work, "e2e.test-"+arch)}
	if err := goBuild(ctx, "build", inRoot(program), p.katrace, arch); err != nil {
		return nil, err
	}
	for _, dir := range also {
		if dir == "" {
			continue
		}
		to := filepath.Join(work, filepath.Base(dir)+".test-"+arch)
		if err := goBuild(ctx, "test", inRoot(dir), to, arch); err != nil {
			return nil, err
		}
		p.also = append(p.also, to)
	}
	return p, goBuild(ctx, "test", inRoot(tests), p.tests, arch)
}

// sideBySide calls do for 0 to n-1, jobs at a time. It starts no more once ctx
// is done.
func sideBySide(ctx context.Context, jobs, n int, do func(int)) {
	slots := make(chan struct{}, jobs)
	var all sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	all.Wait()
}

// jobCount is how many guests of mem MiB run side by side. An emulated guest
// takes one processor, however many it has itself.
func jobCount(asked, mem int) int {
	if asked > 0 {
		return asked
	}
	n := runtime.NumCPU()
	const own = 512 // MiB, the emulator's translated code and the initramfs
	if available := memAvailable(); available > 0 {
		n = min(n, available/(mem+own))
	}
	return max(n, 1)
}

// memAvailable is what this machine can spare, MiB; 0 where it does not say.
func memAvailable() int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemAvailable:" {
			kib, _ := strconv.Atoi(f[1])
			return kib / 1024
		}
	}
	return 0
}
