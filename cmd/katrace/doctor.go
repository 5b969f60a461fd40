// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"katrace/internal/lab"
	"katrace/internal/loader"
	"katrace/internal/owner"
)

func newDoctorCommand() *cobra.Command {
	output, btf := "text", ""
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this kernel and these privileges allow",
		Long: `doctor tries every hook of every backend, one by one. Then it attaches all that
can be, makes connections to itself on loopback for two seconds, has the kernel
send keepalive probes on them, and sees which hooks fire. It says which backend
katrace will use, what that backend cannot know, and what to do about it.
Exit status 3 if no backend can be used.

ok            attached, and it fired
ok, not tried attached; whether it fires could not be tried
SILENT        attached, and the kernel ran what it is on, but it did not fire
NO            it cannot be attached`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var tested selfTest
			r := loader.Examine(loader.Options{BTF: btf}, func() map[string]error {
				ran, own := lab.SelfTest(cmd.Context())
				tested = selfTest{done: true, own: own}
				return ran
			})
			for _, what := range owner.Hidden() {
				r.Notes = append(r.Notes, "not seen from here: "+what)
			}
			if err := cmd.Context().Err(); err != nil {
				return nil // interrupted: half a report would mislead
			}
			var err error
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(doctorJSON(r, tested))
			} else {
				err = writeDoctor(cmd.OutOrStdout(), r, tested)
			}
			if err == nil && r.Chosen == "" {
				err = &loader.UnsupportedError{Doing: "no backend can be attached", Err: errors.New("see the reasons above")}
			}
			return err
		},
	}
	addFlags(cmd, groupAttach, btfFlag(&btf))
	addFlags(cmd, groupOutput, outputFlag(&output, "", "text", "json"))
	return cmd
}

// selfTest says where the hooks were tried.
type selfTest struct {
	done bool
	own  bool // in a network namespace of its own
}

func writeDoctor(w io.Writer, r loader.Report, tested selfTest) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kernel      %s %s\n", r.Kernel, r.Machine)
	fmt.Fprintf(&b, "BTF         %s\n", okOr(r.BTF))
	if r.Lockdown != "" {
		fmt.Fprintf(&b, "lockdown    %s\n", r.Lockdown)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note        %s\n", note)
	}
	if tested.done {
		where := "this network namespace: for one of its own it needs CAP_SYS_ADMIN and CAP_NET_ADMIN"
		if tested.own {
			where = "a network namespace of its own"
		}
		fmt.Fprintf(&b, "self-test   probes to itself on loopback, in %s\n", where)
		switch {
		case r.Unwitnessed != nil:
			fmt.Fprintf(&b, "missed      not known: %v\n", r.Unwitnessed)
		case r.Missed > 0:
			fmt.Fprintf(&b, "missed      %d firings of the keepalive timer meanwhile: this kernel does not always run BPF programs; katrace counts such firings\n", r.Missed)
		}
	}
	b.WriteString("privileges\n")
	for _, c := range r.Capabilities {
		mark := "yes"
		if !c.Have {
			mark = "NO"
		}
		fmt.Fprintf(&b, "  %-4s %-19s %s\n", mark, c.Name, c.For)
	}
	for _, br := range r.Backends {
		state := "cannot be used here"
		switch {
		case br.Backend == r.Chosen:
			state = "USED by --attach auto"
		case br.Usable:
			state = "can be used: --attach " + string(br.Backend)
		}
		fmt.Fprintf(&b, "\n%s: %s\n", br.Backend, state)
		writeHooks(&b, br.Hooks)
		if br.Usable && len(br.Lacks) > 0 {
			fmt.Fprintf(&b, "  not known this way: %s\n", strings.Join(br.Lacks, ", "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeHooks writes a line a hook; a reason that is the last one's again is said once.
func writeHooks(b *strings.Builder, hooks []loader.HookReport) {
	said := ""
	for _, h := range hooks {
		mark, why := "ok", ""
		switch {
		case h.Err != nil:
			mark, why = "NO", h.Why
			if why == "" {
				why = h.Err.Error()
			}
		case h.Silent():
			mark, why = "SILENT", h.Why
		case h.Untried != "":
			mark, why = "ok, not tried", h.Untried
		}
		fmt.Fprintf(b, "  %-14s %s", mark, h.Name)
		if mark != "ok" {
			if h.Optional != "" {
				fmt.Fprintf(b, " (for %s)", h.Optional)
			}
			if why == said {
				why = "the same"
			} else {
				said = why
			}
			fmt.Fprintf(b, ": %s", why)
		}
		b.WriteByte('\n')
	}
}

func okOr(err error) string {
	if err == nil {
		return "ok"
	}
	return "NO: " + err.Error()
}

// doctorJSON is the report with keys in the stream's style.
func doctorJSON(r loader.Report, tested selfTest) any {
	type object = map[string]any
	var caps, backends []object
	for _, c := range r.Capabilities {
		caps = append(caps, object{"name": c.Name, "have": c.Have, "for": c.For})
	}
	for _, br := range r.Backends {
		var hooks []object
		for _, h := range br.Hooks {
			o := object{"hook": h.Name, "ok": h.Err == nil}
			if h.Err != nil {
				o["error"] = h.Err.Error()
			}
			switch {
			case h.Err != nil:
			case h.Untried != "":
				o["not_tried"] = h.Untried
			default:
				o["fired"] = h.Fired
			}
			if h.Why != "" {
				o["why"] = h.Why
			}
			if h.Optional != "" {
				o["for"] = h.Optional
			}
			hooks = append(hooks, o)
		}
		backends = append(backends, object{
			"backend": br.Backend, "usable": br.Usable, "lacks": append([]string{}, br.Lacks...), "hooks": hooks,
		})
	}
	report := object{
		"v": 1, "kernel": r.Kernel, "machine": r.Machine, "btf": r.BTF == nil,
		"capabilities": caps, "backends": backends,
	}
	if tested.done {
		test := object{"own_netns": tested.own}
		if r.Unwitnessed != nil {
			test["missed_unknown"] = r.Unwitnessed.Error()
		} else if r.Chosen != "" {
			test["missed"] = r.Missed
		}
		report["self_test"] = test
	}
	if len(r.Notes) > 0 {
		report["notes"] = r.Notes
	}
	if r.Lockdown != "" {
		report["lockdown"] = r.Lockdown
	}
	if r.BTF != nil {
		report["btf_error"] = r.BTF.Error()
	}
	if r.Chosen != "" {
		report["chosen"] = r.Chosen
	}
	return report
}
