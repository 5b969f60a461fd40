// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const rootLong = `katrace shows the kernel's TCP keepalive timer at work: every probe it sends on
an idle connection, every answer, every connection it gives up, and why.

The kernel tells nobody about this: no recv returns it, no log holds it, and
ss shows a countdown at best. katrace sees it by eBPF programs on
tcp_keepalive_timer, tcp_write_wakeup and tcp_send_active_reset (kprobes), or
by tracepoints where the kernel has no kprobes.

It needs root, or CAP_BPF, CAP_PERFMON and CAP_SYSLOG. 'katrace doctor' says
what this kernel and these privileges allow.`

const rootExample = `  sudo katrace                                 every keepalive event on this machine
  sudo katrace --silent --dead                 only peers that do not answer, and ends
  sudo katrace --port 5432 -o json             PostgreSQL's connections, as JSON lines
  sudo katrace --addr 10.0.0.0/8 --duration 1m one minute, one network
  sudo katrace demo                            see it at work on staged connections`

func newRootCommand() *cobra.Command {
	var o streamOptions
	cmd := &cobra.Command{
		Use:           "katrace",
		Short:         "Show the kernel's TCP keepalive timer at work",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(o.validate(), needStdout(o.instead())); err != nil {
				return err
			}
			if err := refuseMissing(&o.filter, &o.names, os.Stderr); err != nil {
				return err
			}
			o.debug, _ = cmd.Flags().GetBool("debug")
			o.filterWords = filterWords(cmd.Flags())
			return runStream(cmd.Context(), o)
		},
	}
	cmd.SetFlagErrorFunc(flagError)
	groupHelp(cmd)
	cmd.PersistentFlags().Bool("debug", false, "say more where something fails: the verifier's log, why a backend was passed over")
	o.register(cmd)
	cmd.AddCommand(newDemoCommand(), newDoctorCommand(), newListCommand(), newPredictCommand(), newReplayCommand(), newReportCommand(), newSetCommand(), newVersionCommand())
	offerNoFiles(cmd)
	return cmd
}

// refuseTopics adds the commands that cobra would add by itself, and has them refuse
// what they do not know: it would show help, with status 0.
func refuseTopics(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Args = func(_ *cobra.Command, topic []string) error {
				about, rest, _ := root.Find(topic) // no error: every command refuses arguments itself
				if about != root && len(rest) > 0 {
					return usagef("unknown command %q", strings.Join(topic, " "))
				}
				return noArgs(about, rest)
			}
		case "completion":
			cmd.Args, cmd.RunE = noArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
			}
		}
	}
}

// noArgs refuses arguments, and says which.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		cmd.SuggestionsMinimumDistance = 2
		return usagef("unknown command %q%s", args[0], didYouMean(cmd.SuggestionsFor(args[0])))
	}
	return usagef("%s takes no argument, not %q", cmd.CommandPath(), args[0])
}
