// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"strings"
)

// environment lists what is read of the environment, by katrace or by a library
// for it; a name that ends with _ stands for all that begin so. It is explained
// in docs/privileges.md.
var environment = []string{
	"TERM", "COLORTERM", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM_PROGRAM", "SSH_TTY", "WT_SESSION",
	"LANG", "LC_ALL", "LC_CTYPE", "TZ",
	"COBRA_", "KATRACE_", "BASH_COMP_DEBUG_FILE", // completion by the shell
	"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", // systemd
	"GODEBUG", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GOTRACEBACK", "GOCOVERDIR",
}

// keepEnvironment takes everything else away. Libraries look for more: for
// files to write (TEA_TRACE, UV_DEBUG), for a program to run (TMUX, PATH).
func keepEnvironment() {
	for _, name := range foreign(os.Environ()) {
		_ = os.Unsetenv(name) // fails for an empty name only, which nobody reads
	}
}

// foreign lists the names of an environment that are not to be read.
func foreign(environ []string) (names []string) {
	for _, entry := range environ {
		if name, _, _ := strings.Cut(entry, "="); !isKnown(name) {
			names = append(names, name)
		}
	}
	return names
}

func isKnown(name string) bool {
	for _, known := range environment {
		if name == known || strings.HasSuffix(known, "_") && strings.HasPrefix(name, known) {
			return true
		}
	}
	return false
}
