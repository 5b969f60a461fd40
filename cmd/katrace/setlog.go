// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"katrace/internal/change"
	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/logfile"
)

// setLog is the log file of katrace set: a line a socket, written at once.
type setLog struct {
	file *logfile.File
	by   events.Setter
	undo bool
	host string
	line []byte
}

// openSetLog opens it, unless it has old values, for the undoing of which nothing
// else may be in their file.
func openSetLog(o *setOptions) (*setLog, error) {
	_, err := os.Lstat(o.undoFile)
	made := errors.Is(err, fs.ErrNotExist)
	file, err := logfile.Open(logfile.Options{Path: o.logFile})
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w", err)
	}
	if err := o.refuseOldValues(file); err != nil {
		if o.undoFile != "" && made { // by the other name
			_ = os.Remove(o.undoFile)
		}
		return nil, errors.Join(err, file.Close())
	}
	return &setLog{file: file, by: change.Self(), undo: o.undo != "", host: o.host}, nil
}

func (o *setOptions) hasOldValues() error {
	return usagef("--log-file %q: that is a file of old values, which nothing else may be in", o.logFile)
}

func (o *setOptions) refuseOldValues(log *logfile.File) error {
	is, err := log.Stat()
	if err != nil {
		return fmt.Errorf("--log-file: %w", err)
	}
	for _, name := range []string{o.undoFile, o.undo} {
		if other, err := os.Stat(name); name != "" && err == nil && os.SameFile(is, other) {
			return o.hasOldValues()
		}
	}
	if is.Mode().IsRegular() && is.Size() > 0 {
		if old, err := readUndo(o.logFile); err == nil && len(old) > 0 {
			return o.hasOldValues()
		}
	}
	return nil
}

func (l *setLog) write(r *change.Result) error {
	e := r.Event(time.Now(), l.by, l.undo)
	e.Host = l.host
	l.line = append(events.AppendJSON(l.line[:0], &e), '\n')
	if err := l.file.WriteWhole(l.line); err != nil {
		return fmt.Errorf("--log-file, without which nothing more is changed: %w", err)
	}
	return nil
}

// auditLine says who changes sockets, and by what command.
func auditLine(at time.Time) string {
	by := change.Self()
	words := []string{"katrace"}
	for _, arg := range os.Args[1:] {
		words = append(words, conn.ShellWord(arg))
	}
	return fmt.Sprintf("%s %s, pid %d: %s", at.UTC().Format("2006-01-02T15:04:05Z"), by.AppendText(nil), by.PID, conn.Safe(strings.Join(words, " ")))
}
