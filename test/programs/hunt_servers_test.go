// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The servers of the hunt, each with a log that names connections.

// huntPostgresServer names each connection's port: log_connections, and %r.
func huntPostgresServer(t *testing.T) string {
	const account = "postgres"
	bin := postgresBin(t)
	dir := folder(t, account)
	run(t, account, bin+"/initdb", "-D", dir+"/data", "-A", "trust", "--no-sync")
	if err := os.WriteFile(dir+"/data/pg_hba.conf", []byte("host all all samenet trust\nhost all all 127.0.0.1/32 trust\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	server := startOn(t, nil, logFile(t, "postgres.log"), account, bin+"/postgres", "-D", dir+"/data", "-p", fmt.Sprint(huntPostgres), "-k", dir,
		"-c", "listen_addresses=*", "-c", "fsync=off", "-c", "log_connections=on", "-c", "log_disconnections=on",
		"-c", "log_line_prefix=%m [%p] %r %a ", "-c", "log_timezone=UTC")
	postgresReady(t, server, huntPostgres)
	run(t, account, bin+"/pgbench", "-i", "-q", "-h", "127.0.0.1", "-p", fmt.Sprint(huntPostgres), "postgres")
	return "PostgreSQL"
}

// huntRedisServer names a connection where it ends: loglevel verbose.
func huntRedisServer(t *testing.T) string {
	server := startOn(t, nil, logFile(t, "redis.log"), "redis", "/usr/bin/redis-server", "--port", fmt.Sprint(huntRedis), "--bind", "*",
		"--protected-mode", "no", "--tcp-keepalive", fmt.Sprint(huntIdle), "--save", "", "--loglevel", "debug", "--dir", folder(t, "redis"))
	listening(t, server, huntRedis)
	return "Redis"
}

// huntNginxServer has the number and the port of each connection in the access
// log, and the number in the error log.
func huntNginxServer(t *testing.T) string {
	const account = "nobody"
	dir := folder(t, account)
	if err := os.WriteFile(filepath.Join(dir, "file"), make([]byte, 24<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	access := logFile(t, "nginx-access.log")
	if err := access.Chmod(0o666); err != nil {
		t.Fatal(err)
	}
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off; user nobody nogroup; pid %[1]s/pid; error_log stderr info; worker_processes 1;
events {}
http {
	log_format ports '$msec *$connection $remote_addr $remote_port $status $bytes_sent';
	access_log %[2]s ports;
	keepalive_timeout 1h; keepalive_requests 100000; root %[1]s;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen *:%[3]d so_keepalive=on; return 204; }
	server { listen *:%[4]d so_keepalive=on; }
}
`, dir, access.Name(), huntNginx, huntFile))
	server := startOn(t, nil, logFile(t, "nginx.log"), "", "/usr/sbin/nginx", "-p", dir, "-c", conf)
	listening(t, server, huntNginx)
	return "nginx"
}

// huntSSHServer returns the file of the key that it lets in.
func huntSSHServer(t *testing.T) (key string) {
	dir, conf := sshdConfig(t, fmt.Sprintf("0.0.0.0:%d", huntSSH), "TCPKeepAlive yes", "LogLevel VERBOSE")
	server := startOn(t, nil, logFile(t, "sshd.log"), "", "/usr/sbin/sshd", "-D", "-e", "-f", conf)
	listening(t, server, huntSSH)
	return dir + "/user"
}
