// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// askClickHouse lets the same lines into ClickHouse and asks the fleet's question by SQL.
func askClickHouse(t *testing.T, logs string, want map[group]tally) {
	server, err := exec.LookPath("clickhouse-server")
	if err != nil {
		t.Skip("there is no clickhouse-server")
	}
	dir, port := t.TempDir(), freePort(t)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("users.xml", `<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password/>
<networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>`)
	write("config.xml", fmt.Sprintf(`<yandex><logger><level>warning</level><console>1</console></logger><listen_host>127.0.0.1</listen_host>
<tcp_port>%[1]s</tcp_port><path>%[2]s/data/</path><tmp_path>%[2]s/tmp/</tmp_path><mark_cache_size>5368709</mark_cache_size>
<users_config>%[2]s/users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database></yandex>`, port, dir))
	d := run(t, server, "--config-file="+filepath.Join(dir, "config.xml"))
	ask := func(stdin io.Reader, query string) (string, error) {
		cmd := exec.Command("clickhouse-client", "--host=127.0.0.1", "--port="+port, "--multiquery", "--query="+query)
		cmd.Stdin = stdin
		cmd.Dir = dir
		var said bytes.Buffer
		cmd.Stderr = &said
		text, err := cmd.Output()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, said.Bytes())
		}
		return string(text), err
	}
	must := func(stdin io.Reader, query string) string {
		t.Helper()
		text, err := ask(stdin, query)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	waitFor(t, time.Minute, "ClickHouse to be ready", func() bool { _, err := ask(nil, "SELECT 1"); return err == nil })
	must(nil, readFile(t, deploy(t, "clickhouse/schema.sql")))
	files, err := filepath.Glob(filepath.Join(logs, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	lines, to := io.Pipe()
	go func() {
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err == nil {
				_, err = to.Write(bytes.ReplaceAll(text, []byte(`\`), []byte(`\\`)))
			}
			if err != nil {
				_ = to.CloseWithError(err)
				return
			}
		}
		_ = to.Close()
	}()
	begun := time.Now()
	must(lines, "INSERT INTO katrace (line) FORMAT TabSeparated")
	t.Logf("%s lines inserted in %v", strings.TrimSpace(must(nil, "SELECT count() FROM katrace")), time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	answer := must(nil, readFile(t, deploy(t, "clickhouse/dying.sql")))
	t.Logf("the fleet's question was answered in %v, the client's start included", time.Since(begun).Round(time.Millisecond))
	got := map[group]tally{}
	for line := range strings.Lines(answer) {
		f := strings.Fields(line)
		if len(f) != 10 {
			t.Fatalf("%d columns: %q", len(f), line)
		}
		got[group{f[0], f[1], strings.Join(f[2:6], "/")}] = tally{int(number(t, f[6])), int(number(t, f[7])), int(number(t, f[8])), int(number(t, f[9]))}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%.4000s", diff)
	}
	t.Log(d.cost(t))
}
