// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/internal/loader"
)

// Log is a file of old values: one JSON object a line, written before its socket
// is changed, so that it serves also where the run is cut short.
type Log struct {
	file  *os.File
	boot  string
	wrote bool
}

// CreateLog makes the file, which must not exist: the old values of another run
// are not written over.
func CreateLog(path string) (*Log, error) {
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err // it has the name
	}
	return &Log{file: file, boot: boot}, nil
}

// bootID tells this run of the kernel from others: cookies begin anew with each.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// Close closes the file. One in which nothing was written is removed.
func (l *Log) Close() error {
	if !l.wrote {
		_ = os.Remove(l.file.Name())
	}
	return l.file.Close()
}

// write keeps the values that are about to change.
func (l *Log) write(t *target, cookie uint64) error {
	if l == nil {
		return nil
	}
	b := time.Now().UTC().AppendFormat([]byte(`{"v":1,"time":"`), time.RFC3339Nano)
	b = conn.AppendText(append(b, '"'), "boot", l.boot)
	b = t.Socket.AppendKeys(b)
	b = conn.AppendUint(b, "cookie", cookie)
	before, after := t.Before.Only(t.Changes), t.After.Only(t.Changes)
	b = before.AppendKeys(append(b, `,"before":`...))
	b = after.AppendKeys(append(b, `,"after":`...))
	b = append(appendSources(b, t.Sourced), "}\n"...)
	n, err := l.file.Write(b)
	if l.wrote = l.wrote || n > 0; err != nil {
		return fmt.Errorf("write the old values, without which nothing is changed: %w", err)
	}
	return nil
}

// Entry is one line of the file.
type Entry struct {
	state         conn.State
	cookie        uint64
	before, after Values
	sourced       conn.Setting
}

// ReadLog reads the file of old values. Entries of another boot are an error:
// their sockets are gone, and others may have their numbers. cut says that the last
// line ends within, as a disk that was full leaves it: its socket was not changed,
// and it is no entry.
func ReadLog(in io.Reader) (entries []Entry, cut bool, err error) {
	boot, err := bootID()
	if err != nil {
		return nil, false, err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20) // a cgroup's name may be long
	ended := false           // by a newline
	lines.Split(func(data []byte, atEOF bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(data, atEOF)
		ended = n > 0 && data[n-1] == '\n'
		return n, line, err
	})
	n := 0
	for lines.Scan() {
		n++
		e, err := parseEntry(lines.Bytes(), boot)
		switch {
		case err != nil && !ended && errors.Is(err, io.ErrUnexpectedEOF):
			return entries, true, nil
		case err != nil:
			return nil, false, fmt.Errorf("line %d: %w", n, err)
		}
		entries = append(entries, e)
	}
	if n == 0 && lines.Err() == nil {
		return nil, false, errors.New("it is empty")
	}
	return entries, false, lines.Err()
}

func parseEntry(line []byte, boot string) (e Entry, err error) {
	var in struct {
		V    int    `json:"v"`
		Boot string `json:"boot"`
		conn.Keys
		Cookie    uint64          `json:"cookie"`
		Before    *conn.ValueKeys `json:"before"`
		After     *conn.ValueKeys `json:"after"`
		Inherited []string        `json:"inherited"`
	}
	d := json.NewDecoder(bytes.NewReader(line))
	if err := d.Decode(&in); err != nil {
		return e, fmt.Errorf("it is no line of an undo file: %w", err)
	}
	switch {
	case in.V != 1 || in.Before == nil || in.After == nil || in.Inode == 0 || in.Netns == 0 || in.Cookie == 0:
		return e, errors.New("it is no line of an undo file")
	case in.Boot != boot:
		return e, errors.New("it was written before the last boot, or on another host: none of its sockets is here")
	}
	var timer conn.Timer
	if err := in.Read(&e.state, &timer); err != nil {
		return e, err
	}
	e.cookie, e.before, e.after = in.Cookie, in.Before.Values(), in.After.Values()
	if e.before.Known == 0 || e.before.Known != e.after.Known {
		return e, errors.New("it does not say what was changed")
	}
	for _, name := range in.Inherited {
		for one := conn.SettingIdle; one <= conn.SettingCount; one <<= 1 {
			if one.Name() == name {
				e.sourced |= one
			}
		}
	}
	return e, nil
}

// Undo puts the old values back, the last entry first, on those of the sockets
// that are still the same: by inode number, network namespace and cookie. What
// somebody else has changed since is left as it is.
func (r *Request) Undo(ctx context.Context, entries []Entry, sockets []inventory.Socket) ([]*Result, error) {
	there := map[file]*target{}
	for _, t := range targetsOf(sockets) {
		there[fileOf(t.Socket)] = t
	}
	var results []*Result
	var batch []*target
	inBatch := map[file]bool{} // a socket that is there again waits for the next one
	flush := func() error {
		err := r.do(ctx, batch)
		results, batch = append(results, resultsOf(batch)...), nil
		clear(inBatch)
		return err
	}
	for _, e := range slices.Backward(entries) {
		of := file{e.state.Netns, e.state.Inode}
		now := there[of]
		if now == nil {
			t := &target{Result: &Result{Socket: &inventory.Socket{State: e.state}, Outcome: Closed}}
			if r.Unseen != nil && r.Unseen(e.state.Netns) {
				t.refuse("its network namespace is gone, or its processes are hidden (%s)", loader.Advice(unix.CAP_SYS_PTRACE))
			}
			results = append(results, t.Result)
			continue
		}
		if inBatch[of] {
			if err := flush(); err != nil {
				return results, err // some
			}
		}
		inBatch[of] = true
		batch = append(batch, &target{
			Result: &Result{Socket: now.Socket, Subflows: now.Subflows, Sourced: e.sourced},
			want:   e.before, expect: e.after, cookie: e.cookie,
		})
	}
	err := flush()
	slices.Reverse(results) // in the order of the file
	return results, err
}

// appendSources appends the settings that were the sysctl's, where there are any.
func appendSources(b []byte, set conn.Setting) []byte {
	if set == 0 {
		return b
	}
	return conn.AppendSettingNames(b, `,"inherited":[`, set)
}
