// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// attend has the stream count what the log file does not take, SIGUSR1 open the log file again, and SIGHUP where no terminal can
// hang up. Until the returned function is called.
func (s *stream) attend(log *fileSink) (stop func()) {
	if log != nil {
		s.disk = log.file.Lost
	}
	signals := make(chan os.Signal, 1)
	// Without a log file there is nothing to open, but the signal is no reason to end.
	signal.Notify(signals, unix.SIGUSR1)
	if log != nil && !signal.Ignored(unix.SIGHUP) && !hasTerminal() {
		signal.Ignore(unix.SIGHUP) // it does not end katrace any more
		signal.Notify(signals, unix.SIGHUP)
	}
	go func() {
		for range signals {
			if log != nil {
				log.file.Reopen()
				s.tracer.Wake()
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
	}
}

// hasTerminal says that this process has a controlling terminal.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}

// ready tells the service manager that the tracer is attached, and from then on
// that the stream goes on, if there is one that wants to know.
func (s *stream) ready() {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS=Attached by "+string(s.tracer.Backend)); err != nil && s.say != nil {
		fmt.Fprintf(s.say, "katrace: the service manager cannot be told that katrace is attached: %v\n", err)
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	var next time.Time
	s.secondly = append(s.secondly, func() {
		if now := time.Now(); !now.Before(next) {
			next = now.Add(every / 3) // a second of it is the tick's
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
	})
}
