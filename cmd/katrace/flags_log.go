// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"io/fs"
	"strconv"

	"github.com/spf13/cobra"
)

// defaultKeep is how many rotated log files are kept.
const defaultKeep = 5

// registerLog adds the flags of the log file, and of how much is written.
func (o *streamOptions) registerLog(cmd *cobra.Command) {
	o.log.Keep = defaultKeep
	addFlags(cmd, groupOutput,
		flagSpec{name: "log-file", to: &o.log.Path, help: "append the JSON stream to this file, beside the output. The file is opened again when it was renamed or removed, and by SIGUSR1", offer: files},
		flagSpec{name: "log-mode", to: &value[fs.FileMode]{to: &o.log.Mode, parse: parseMode, word: "0600"}, help: "mode of a log file that is made"},
		flagSpec{name: "log-size", to: valueOf(&o.log.Size, parseLogSize), help: "rotate the log file before it is larger than this, such as 100MiB (default: never)"},
		flagSpec{name: "log-keep", to: &o.log.Keep, help: "how many rotated log files are kept, as FILE.1 and so on (default 5)"},
		flagSpec{name: "max-rate", to: &o.maxRate, help: "write at most this many lines a second beyond a burst of 1000, ends first; the others are counted, and summed up once a second"})
}

// validateLog holds the flags against each other.
func (o *streamOptions) validateLog() error {
	switch {
	case o.output == outputNone && o.log.Path == "" && !o.metrics.wanted():
		return usagef("--output none: nothing would be written (give --log-file, --metrics or --metrics-file)")
	case o.log.Path == "" && (o.log.Size != 0 || o.log.Mode != 0):
		return usagef("--log-size and --log-mode are about the file of --log-file")
	case o.log.Size == 0 && o.log.Keep != defaultKeep:
		return usagef("--log-keep is about the rotated files of --log-size (give --log-file and --log-size)")
	}
	return nil
}

// instead is what all is written to where standard output is closed.
func (o *streamOptions) instead() string {
	if o.output == outputNone {
		return "-"
	}
	return o.log.Path
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 16)
	if err != nil || n > 0o777 || n&0o200 == 0 {
		return 0, errors.New("want a mode such as 0640, with which its owner may write")
	}
	return fs.FileMode(n), nil
}

// minLogSize is a write's size, of which a file holds whole ones.
const minLogSize = manyLines

func parseLogSize(s string) (int64, error) {
	n, err := parseBytes(s)
	if err != nil || n < minLogSize {
		return 0, errors.New("want a size of 64KiB or more, such as 100MiB")
	}
	return int64(n), nil
}
