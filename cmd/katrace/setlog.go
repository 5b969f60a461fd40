// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"katrace/internal/change"
	"katrace/internal/conn"
	"katrace/internal/events"
)

// setLog is the log file of katrace set: a line a socket, written at once.
type setLog struct {
	file *os.File
	by   events.Setter
	undo bool
	host string
	line []byte
}

func openSetLog(o *setOptions) (*setLog, error) {
	file, err := os.OpenFile(o.logFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--log-file: %w", err)
	}
	return &setLog{file: file, by: change.Self(), undo: o.undo != "", host: o.host}, nil
}

func (l *setLog) write(r *change.Result) error {
	e := r.Event(time.Now(), l.by, l.undo)
	e.Host = l.host
	l.line = append(events.AppendJSON(l.line[:0], &e), '\n')
	if _, err := l.file.Write(l.line); err != nil {
		return fmt.Errorf("--log-file, without which nothing is changed: %w", err)
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
