// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// What a client may take.
const (
	maxConnections = 16
	maxHeader      = 8 << 10 // bytes
	readTimeout    = 5 * time.Second
	writeTimeout   = 10 * time.Second
)

// Listen opens where metrics are scraped: HOST:PORT, unix:PATH, or fd://N, a
// listening socket that whoever started this process made.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		return listenUnix(ctx, path)
	}
	if number, ok := strings.CutPrefix(addr, "fd://"); ok {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("%q is no number of a descriptor", number)
		}
		l, err := inherit(uintptr(n))
		if err != nil {
			return nil, fmt.Errorf("%s is no listening socket: %w", addr, err)
		}
		return l, nil
	}
	// No keepalive: katrace would report its own connections.
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", addr)
}

// listenUnix takes the place of a socket that nobody listens on any more.
func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() == fs.ModeSocket {
		c, err := net.Dial("unix", path)
		if err == nil {
			_ = c.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Serve answers scrapes until ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler: m.handler(), ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0),
	}
	s.SetKeepAlivesEnabled(false) // nobody holds a connection for longer than a scrape
	defer context.AfterFunc(ctx, func() { _ = s.Close() })()
	err := s.Serve(netutil.LimitListener(l, maxConnections)) // others wait, for seconds at the most
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// handler answers GET /metrics, and nothing else.
func (m *Metrics) handler() http.Handler {
	scrape := promhttp.HandlerFor(prometheus.GathererFunc(m.gather), promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: maxConnections})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
		case r.URL.Path != "/metrics":
			http.Error(w, "only /metrics", http.StatusNotFound)
		default:
			scrape.ServeHTTP(w, r)
		}
	})
}

// WriteFile writes the metrics to a file for node_exporter's textfile collector,
// which never sees a part of them. What is no regular file is not replaced.
func (m *Metrics) WriteFile(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and is not replaced", path)
	}
	return prometheus.WriteToTextfile(path, prometheus.GathererFunc(m.gather))
}
