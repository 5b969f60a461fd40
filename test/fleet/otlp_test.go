// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// An otlpServer takes logs as OTLP's JSON.
type otlpServer struct {
	address string

	mu      sync.Mutex
	records []record
	refuses bool
	refused int
	failed  error
}

// A record is a log record with the attributes of its resource among its own.
type record struct {
	Time       string // nanoseconds
	Severity   int
	Text       string
	Event      string
	Body       any
	Resource   map[string]any
	Attributes map[string]any
}

func newOTLPServer(t testing.TB) *otlpServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &otlpServer{address: "http://" + l.Addr().String()}
	server := &http.Server{Handler: s}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// ServeHTTP takes an ExportLogsServiceRequest.
func (s *otlpServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuses {
		s.refused++
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	var request struct {
		ResourceLogs []struct {
			Resource  struct{ Attributes keyValues }
			ScopeLogs []struct {
				LogRecords []struct {
					TimeUnixNano   string
					SeverityNumber int
					SeverityText   string
					EventName      string
					Body           anyValue
					Attributes     keyValues
				}
			}
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		s.failed = err
	}
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			for _, l := range scope.LogRecords {
				s.records = append(s.records, record{l.TimeUnixNano, l.SeverityNumber, l.SeverityText, l.EventName, l.Body.value, resource.Resource.Attributes, l.Attributes})
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte("{}"))
}

// took are the records so far.
func (s *otlpServer) took(t testing.TB) []record {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		t.Fatal(s.failed)
	}
	return s.records
}

func (s *otlpServer) refuse(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses, s.refused = yes, 0
}

// hasRefused says whether a request was refused since refuse.
func (s *otlpServer) hasRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused > 0
}

// keyValues are attributes.
type keyValues map[string]any

func (k *keyValues) UnmarshalJSON(text []byte) error {
	var pairs []struct {
		Key   string
		Value anyValue
	}
	if err := json.Unmarshal(text, &pairs); err != nil {
		return err
	}
	*k = keyValues{}
	for _, pair := range pairs {
		if _, twice := (*k)[pair.Key]; twice {
			return fmt.Errorf("%s is there twice", pair.Key)
		}
		(*k)[pair.Key] = pair.Value.value
	}
	return nil
}

// anyValue is a string, int64, float64, bool, []any or map[string]any.
type anyValue struct{ value any }

func (a *anyValue) UnmarshalJSON(text []byte) (err error) {
	var v struct {
		StringValue *string
		IntValue    *json.RawMessage // a string by the specification
		DoubleValue *float64
		BoolValue   *bool
		ArrayValue  *struct{ Values []anyValue }
		KvlistValue *struct{ Values keyValues }
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return err
	}
	switch {
	case v.StringValue != nil:
		a.value = *v.StringValue
	case v.IntValue != nil:
		var word string
		if err := json.Unmarshal(*v.IntValue, &word); err != nil {
			return err
		}
		a.value, err = strconv.ParseInt(word, 10, 64)
	case v.DoubleValue != nil:
		a.value = *v.DoubleValue
	case v.BoolValue != nil:
		a.value = *v.BoolValue
	case v.ArrayValue != nil:
		all := []any{}
		for _, inner := range v.ArrayValue.Values {
			all = append(all, inner.value)
		}
		a.value = all
	case v.KvlistValue != nil:
		a.value = map[string]any(v.KvlistValue.Values)
	}
	return err
}

// startCollector runs the collector with deploy/otel/collector.yaml, and only what a
// host has to override: the files, its own directory, where to send. With more, that
// file of deploy/otel beside it.
func startCollector(t testing.TB, dir string, include []string, exporter map[string]any, more ...string) *daemon {
	t.Helper()
	own := writeJSON(t, filepath.Join(dir, "own.yaml"), map[string]any{
		"extensions": map[string]any{"file_storage/katrace": map[string]any{"directory": filepath.Join(dir, "storage")}},
		"receivers":  map[string]any{"file_log/katrace": map[string]any{"include": include}},
		"exporters":  map[string]any{"otlp_http/katrace": exporter},
		// Its own metrics would take a port that another test has.
		"service": map[string]any{"telemetry": map[string]any{"metrics": map[string]any{"level": "none"}}},
	})
	args := []string{"--config", deploy(t, "otel/collector.yaml")}
	for _, name := range more {
		args = append(args, "--config", deploy(t, "otel/"+name))
	}
	return run(t, *collector, append(args, "--config", own)...)
}
