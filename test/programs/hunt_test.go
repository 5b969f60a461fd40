// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var (
	huntTime = flag.Duration("hunt", 0, "how long to trace ordinary traffic")
	huntLogs = flag.String("logs", "", "where the hunt keeps the stream and the programs' logs")
)

// The hunt's ports.
const (
	huntPostgres = 5432
	huntRedis    = 6379
	huntNginx    = 8080 // small answers
	huntFile     = 8081 // a large file, for readers that pause
	huntSSH      = 2222
)

// The keepalive settings of both hosts, in seconds: connections that are idle
// for as long as people's are for minutes are probed.
const huntIdle, huntInterval, huntCount = 2, 1, 3

// killedName is the application_name of the psql that is killed.
const killedName = "killed"

// TestHunt traces programs that talk to each other with keepalive on while
// nothing is wrong. Whatever katrace says of a death, of silence or of a drop has
// to be in the programs' own logs.
func TestHunt(t *testing.T) {
	if *huntTime == 0 {
		t.Skip("make hunt")
	}
	if err := os.MkdirAll(*huntLogs, 0o755); err != nil {
		t.Fatal(err)
	}
	far := neighbour(t)
	hosts := []*host{nil, far}
	for _, h := range hosts {
		for name, value := range map[string]int{"time": huntIdle, "intvl": huntInterval, "probes": huntCount} {
			if err := h.sysctl("net.ipv4.tcp_keepalive_"+name, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	servers := []string{huntPostgresServer(t), huntRedisServer(t), huntNginxServer(t)}
	sshKey := huntSSHServer(t)
	t.Log("servers: ", strings.Join(servers, ", "))

	stop := huntTrace(t, hosts)
	before := huntCounters(t, hosts)
	crew := &crew{far: far, end: time.Now().Add(*huntTime), log: logFile(t, "clients.log")}
	crew.work(sshKey)
	after := huntCounters(t, hosts)
	stop()

	grown := after.since(before)
	t.Logf("counters: %v", grown)
	judgeHunt(t, grown)
}

// logFile is a new file among the logs.
func logFile(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(*huntLogs, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// huntTrace starts katrace and returns what ends it.
func huntTrace(t *testing.T, hosts []*host) (stop func()) {
	t.Helper()
	args := []string{"-o", "json"}
	for _, h := range hosts {
		inum, err := h.inum()
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, "--netns", fmt.Sprint(inum))
	}
	said := logFile(t, "katrace.log")
	cmd := exec.CommandContext(t.Context(), *program, args...)
	cmd.Stdout, cmd.Stderr = logFile(t, "katrace.json"), said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	await(t, "katrace to begin: see "+said.Name(), func() bool {
		text, err := os.ReadFile(said.Name())
		return err == nil && strings.Contains(string(text), "attached by")
	})
	return func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil {
			t.Errorf("katrace: %v", err)
		}
		usage := cmd.ProcessState
		t.Logf("katrace took %v of processor time", usage.UserTime()+usage.SystemTime())
	}
}

// crew are the clients, each of which does one thing again and again.
type crew struct {
	far   *host
	end   time.Time
	log   io.Writer
	mu    sync.Mutex
	group sync.WaitGroup
}

// work plays all clients to their ends: none is interrupted but those that are
// meant to be.
func (c *crew) work(sshKey string) {
	pg := fmt.Sprintf("host=%s port=%d dbname=postgres", nearAddr, huntPostgres)
	pgbench := fmt.Sprintf("/usr/bin/pgbench -n -h %s -p %d -U postgres", nearAddr, huntPostgres)
	ssh := fmt.Sprintf("/usr/bin/ssh -F none -i %s -p %d -o TCPKeepAlive=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@%s",
		sshKey, huntSSH, nearAddr)
	web := fmt.Sprintf("http://%s:%d", nearAddr, huntNginx)
	file := fmt.Sprintf("http://%s:%d/file", nearAddr, huntFile)
	redis := fmt.Sprintf("-h %s -p %d", nearAddr, huntRedis)

	// wrk has no rate of its own: a script makes each connection wait.
	pace := filepath.Join(*huntLogs, "pace.lua")
	_ = os.WriteFile(pace, []byte("function delay() return math.random(10, 5000) end\n"), 0o644)

	c.repeat("wrk", time.Second, "/usr/bin/wrk -t1 -c10 -d30s --timeout 10s -s "+pace+" "+web)
	c.repeat("curl", time.Second, "/usr/bin/curl -sS -o /dev/null "+web)
	c.repeat("reader that pauses", 5*time.Second, "/usr/bin/curl -sS "+file+" | (sleep 9; cat >/dev/null)")
	c.repeat("slow reader", 5*time.Second, "/usr/bin/curl -sS --limit-rate 1M -o /dev/null "+file)
	c.repeat("pgbench", time.Second, pgbench+" -S -c 4 -R 4 -T 60 postgres")
	c.repeat("pgbench -C", time.Second, pgbench+" -S -C -c 2 -R 3 -T 60 postgres")
	c.repeat("psql that waits", time.Second, `/usr/bin/psql -X -U postgres -c 'select pg_sleep(7)' '`+pg+`'`)
	c.repeat("redis-benchmark", 4*time.Second, "/usr/bin/redis-benchmark "+redis+" -q -c 10 -n 300 -t set,get,lpush")
	c.repeat("redis-cli", time.Second, "/usr/bin/redis-cli "+redis+" -r 5 -i 5 ping")
	c.repeat("ssh", 2*time.Second, ssh+" 'date; sleep 7; date'")
	c.repeatKilled("psql that is killed", 20*time.Second, 2*time.Second, `env PGAPPNAME=`+killedName+` /usr/bin/psql -X -U postgres -c 'select pg_sleep(5)' '`+pg+`'`)
	c.repeatKilled("curl that is killed", 20*time.Second, 2*time.Second, "/usr/bin/curl -sS --limit-rate 1M -o /dev/null "+file)
	c.group.Wait()
}

// repeat runs a shell command on the far host until the hunt ends.
func (c *crew) repeat(name string, pause time.Duration, command string) {
	c.group.Go(func() {
		for n := 1; time.Now().Before(c.end); n++ {
			c.run(name, n, command, 0)
			time.Sleep(pause)
		}
	})
}

// repeatKilled runs a command and kills it at its work.
func (c *crew) repeatKilled(name string, pause, after time.Duration, command string) {
	c.group.Go(func() {
		for n := 1; time.Now().Before(c.end); n++ {
			c.run(name, n, "exec "+command, after)
			time.Sleep(pause)
		}
	})
}

func (c *crew) run(name string, n int, command string, killAfter time.Duration) {
	ctx := context.Background()
	if killAfter != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, killAfter)
		defer cancel()
	}
	cmd := exec.CommandContext(ctx, "/bin/bash", "-o", "pipefail", "-c", command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out []byte
	err := c.far.do(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if killAfter != 0 && ctx.Err() != nil {
		err = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	result := "ok"
	if err != nil {
		result = "FAILED: " + err.Error()
	}
	text := strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " | ")
	if len(text) > 400 {
		text = text[:400]
	}
	_, _ = fmt.Fprintf(c.log, "%s %s %d: %s: %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), name, n, result, text)
}
