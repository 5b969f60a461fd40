// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"katrace/test/vm/internal/wire"
)

// fileList collects -file path[:guestpath].
type fileList []shipped

func (l *fileList) String() string { return "" }

func (l *fileList) Set(value string) error {
	from, to, ok := strings.Cut(value, ":")
	if !ok {
		to = "/" + filepath.Base(from)
	}
	if _, err := os.Stat(from); err != nil {
		return err
	}
	if !path.IsAbs(to) {
		return fmt.Errorf("the guest's path %q is not absolute", to)
	}
	*l = append(*l, shipped{from, to})
	return nil
}

// envList collects -env KEY=value.
type envList []string

func (l *envList) String() string { return "" }

func (l *envList) Set(value string) error {
	if !strings.Contains(value, "=") {
		return fmt.Errorf("%q is not KEY=value", value)
	}
	*l = append(*l, value)
	return nil
}

// runCommand runs one command in one guest.
func runCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	var files fileList
	var env envList
	kernelName := flags.String("kernel", "newest", "one of "+seriesNames()+", with -FLAVOUR, -ARCH or both behind it")
	flavour := flags.String("flavour", flavours[0].name, "one of "+flavourNames())
	arch := flags.String("arch", "amd64", "amd64 or arm64")
	environmentName := flags.String("environment", "", "one of the matrix's, instead of a kernel: "+environmentNames())
	mem := flags.Int("mem", 1024, "the guest's memory, MiB")
	cpus := flags.Int("smp", 2, "the guest's processors")
	timeout := flags.Duration("timeout", 3*time.Minute, "from power-on to the command's end")
	icount := flags.Bool("icount", false, "the guest's clock counts instructions, 1 ns each, on 1 processor")
	blocks := flags.String("blocks", "", "write to `FILE` how often the kernel runs each block of instructions, where the command says (package blocks); with -icount, amd64 only")
	console := flags.Bool("console", false, "show the guest's console at the end, on stderr")
	refresh := flags.Bool("refresh", false, "ask the archive for a newer kernel even if it was asked today")
	flags.Var(&files, "file", "`path[:guestpath]` of a file or directory to ship (default guestpath: /name); may be repeated")
	var programs []string
	flags.Func("program", "`path` of a program to ship with the libraries that it needs; may be repeated", func(path string) error {
		programs = append(programs, path)
		return nil
	})
	root := flags.String("root", "/", "`directory` with the system that -program's are of")
	flags.Var(&env, "env", "`KEY=value` for the command's environment; may be repeated")
	var own staging
	own.addFlags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "vm run: no command: put it behind --")
		return errUsage
	}
	t, staged, err := chooseGuest(flags, *environmentName, *kernelName, *flavour, *arch)
	if err != nil {
		return err
	}
	staged = staged.plus(own)
	st, err := openStore(ctx, *refresh, []target{t})
	if err != nil {
		return err
	}
	k, err := st.get(ctx, t, staged.modules)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := checkProgram(f.from, t.arch); err != nil {
			return err
		}
	}
	dynamic, err := dynamicPrograms(ctx, *root, programs)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "katrace-vm-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	init, err := buildInit(ctx, work, t.arch)
	if err != nil {
		return err
	}
	var plugin string
	if *blocks != "" {
		if plugin, err = buildPlugin(ctx, work, t.arch, *blocks); err != nil {
			return err
		}
		// Tables of the kernel's that are hashed by address are then the same each time.
		staged = staged.plus(staging{cmdline: "nokaslr"})
	}
	g := &guest{
		kernel:   k,
		machine:  machine{arch: t.arch, memMiB: *mem, cpus: *cpus, icount: *icount || *blocks != "", plugin: plugin},
		staging:  staged,
		init:     init,
		files:    append(files, dynamic...),
		commands: []wire.Command{{Args: flags.Args(), Env: env}},
		timeout:  *timeout,
	}
	out, err := g.run(ctx, passThrough{}, os.Stderr)
	if *console {
		_, _ = os.Stderr.Write(out.console)
	}
	if err != nil {
		return err
	}
	return verdict(out)
}

// chooseGuest is an environment of the matrix's, or a kernel by itself.
func chooseGuest(flags *flag.FlagSet, environmentName, kernelName, flavour, arch string) (target, staging, error) {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if environmentName == "" {
		for _, part := range []struct{ name, value string }{{"flavour", flavour}, {"arch", arch}} {
			if given[part.name] {
				kernelName += "-" + part.value
			}
		}
		t, err := parseTarget(kernelName)
		return t, staging{}, err
	}
	if given["kernel"] || given["flavour"] || given["arch"] {
		return target{}, staging{}, errors.New("-environment brings its own kernel")
	}
	envs, err := findEnvironments(environmentName)
	if err != nil {
		return target{}, staging{}, err
	}
	if len(envs) != 1 {
		return target{}, staging{}, fmt.Errorf("run boots one guest, and %q are %d; matrix boots several", environmentName, len(envs))
	}
	t, err := parseTarget(envs[0].kernel)
	if err != nil {
		return t, staging{}, err
	}
	s, err := envs[0].staging()
	return t, s, err
}

// verdict is the error of a guest that ran one command.
func verdict(out *outcome) error {
	if len(out.hello.Problems) > 0 {
		return fmt.Errorf("the guest is of no use: %s", strings.Join(out.hello.Problems, "; "))
	}
	x := out.exits[0]
	fmt.Fprintf(os.Stderr, "guest %s: up after %.1f s, the command took %.1f s, off after %.1f s\n",
		out.hello.Release, out.boot.Seconds(), x.Seconds, out.total.Seconds())
	if x.Error != "" {
		fmt.Fprintln(os.Stderr, "vm:", x.Error)
	}
	if fault := kernelFault(out); fault != "" {
		return errors.New(fault)
	}
	if x.Status != 0 {
		return statusError(x.Status)
	}
	return nil
}

// passThrough shows a command's output as its own.
type passThrough struct{}

func (passThrough) hello(h wire.Hello) {
	for _, note := range h.Notes {
		fmt.Fprintln(os.Stderr, "guest:", note)
	}
}
func (passThrough) start(int) {}
func (passThrough) output(_ int, kind wire.Kind, text []byte) {
	to := os.Stdout
	if kind == wire.KindStderr {
		to = os.Stderr
	}
	_, _ = to.Write(text)
}
func (passThrough) exit(wire.Exit) {}
