# SPDX-License-Identifier: BSD-2-Clause
#
#   make            bin/katrace (needs Go only)
#   make demo       build it and see it at work (root)
#   make test       everything below that ends in a verdict (root)
#
# Each target installs the packages that it needs, if there is apt and it runs as root.

export CGO_ENABLED = 0
GO      ?= go
KERNELS ?= 5.10,6.1,6.12,newest,6.12-arm64,newest-arm64
# Of test/vm/environments.go, those that test-vm runs beside the kernels.
ENVIRONMENTS ?=
VERSION := $(shell scripts/version)
LDFLAGS  = -s -w -X main.version=$(VERSION)

.PHONY: all
all: bin/katrace

.PHONY: bin/katrace
bin/katrace:
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/katrace

# make demo ARGS="--case vanished", or ARGS="--case all"
.PHONY: demo
demo: bin/katrace
	bin/katrace demo $(ARGS)

# make demo-vm KERNEL=6.1: the demo in a guest, by kprobes
.PHONY: demo-vm
KERNEL ?= newest
demo-vm: bin/katrace
	$(GO) run ./test/vm run -kernel $(KERNEL) -file bin/katrace -- /katrace demo --attach kprobe --slack 3s

# test-native waits for timers most of the time, which test-meanwhile takes. The guests have
# the machine for themselves: with less they are too slow for what is staged in them.
.PHONY: test
test:
	$(MAKE) check
	$(MAKE) -j2 test-meanwhile test-native
	$(MAKE) test-vm

# What takes processor time. test-native runs all of ./internal, so test-unit need not.
.PHONY: test-meanwhile
test-meanwhile:
	nice $(MAKE) test-unit INTERNAL=
	$(MAKE) fuzz

# No root, no downloads beyond Go's modules.
.PHONY: test-unit
INTERNAL ?= ./internal/...
test-unit:
	$(GO) vet ./...
	$(GO) test -short ./cmd/... $(INTERNAL) ./test/vm/... ./test/cost/... ./test/soak/... ./test/storm/... ./test/peers/... ./scripts/... ./docs/...

# Every fuzz target so many times, or for so long (FUZZTIME=5m; the time limit of go
# test itself fails now and then with "context deadline exceeded")
FUZZTIME ?= 10000x
.PHONY: fuzz
fuzz:
	nice scripts/fuzz $(FUZZTIME)

# Real sockets on this machine's kernel, by the tracepoint backend; root. Tests that may
# run beside others wait most of the time, whatever the number of processors is.
.PHONY: test-native
test-native: bin/katrace
	$(GO) test -count=1 -timeout 20m -parallel 8 ./internal/...
	$(GO) test -count=1 -timeout 20m -parallel 8 -v ./test/e2e -katrace $(CURDIR)/bin/katrace -backend tracepoint

# The same tests by every backend at once on Debian's kernels, in QEMU guests.
.PHONY: test-vm
test-vm:
	$(GO) run ./test/vm matrix -kernels $(KERNELS) -environments "$(ENVIRONMENTS)" -backends kprobe,fentry,tracepoint -timeout 25m

# And in kernels as people run them: the table in test/vm/environments.go.
.PHONY: test-vm-all
test-vm-all:
	$(MAKE) test-vm ENVIRONMENTS=all

# What list says of PostgreSQL's, Redis's, nginx's and others' sockets, held
# against what they were told; what becomes of a COPY whose client is gone; and set
# on such sockets while their programs run, in a container, and behind a middlebox
# that forgets them (docs/programs.md, docs/set.md); root.
.PHONY: test-programs
test-programs: bin/katrace
	scripts/need postgresql redis-server redis-tools nginx curl openssh-server openssh-client python3 nodejs default-jdk-headless \
		haproxy libkeepalive0 runc iptables iproute2 libkrb5-3 libpam0g
	scripts/unpack bin/packages inetutils-telnetd rsh-server rsh-redone-server
	$(GO) test -count=1 -timeout 10m -v ./test/programs -katrace $(CURDIR)/bin/katrace -packages $(CURDIR)/bin/packages

# Ordinary traffic of such programs, with nothing wrong: whatever katrace says of
# an end, of silence or of a drop has to be in the programs' own logs; root.
.PHONY: hunt
DURATION ?= 1h
LOGS     ?= $(CURDIR)/bin/hunt
hunt: bin/katrace
	scripts/need postgresql redis-server redis-tools nginx curl wrk openssh-server openssh-client
	$(GO) test -count=1 -timeout 0 -v ./test/programs -run '^TestHunt$$' -katrace $(CURDIR)/bin/katrace -hunt $(DURATION) -logs $(LOGS)

# What is said of real containers' sockets, and katrace in a container (Podman with
# runc, as root and rootless; no image is fetched); root.
.PHONY: test-containers
test-containers: bin/katrace
	scripts/need podman runc uidmap
	$(GO) test -count=1 -timeout 10m -v ./test/containers -katrace $(CURDIR)/bin/katrace

# deploy/kubernetes: each manifest against the types of Kubernetes' API, and each
# capability, namespace and mount of the DaemonSet by what is missing without it, in
# Podman; root.
.PHONY: test-fleet test-deploy
test-fleet: test-deploy
test-deploy: bin/katrace
	scripts/need podman runc uidmap
	cd test/deploy && $(GO) test -count=1 -timeout 15m -v . -katrace $(CURDIR)/bin/katrace

# The report's page in Chromium: what it shows, and that it asks the network for
# nothing. SHOTS=DIR keeps the screenshots.
.PHONY: test-report
SHOTS ?=
test-report: bin/katrace
	scripts/need chromium
	$(GO) test -count=1 -timeout 5m -v ./test/browser -katrace $(CURDIR)/bin/katrace $(if $(SHOTS),-shots $(abspath $(SHOTS)))

# What connects katrace with the engines of a fleet (deploy/), each part tried by its
# engine, and a fleet of a thousand simulated hosts (docs/fleet.md); root. The first
# time it downloads 0.5 GB of modules and builds for some minutes.
.PHONY: test-fleet
FLEET ?=
PICTURES ?=
test-fleet: bin/katrace
	scripts/need prometheus clickhouse-server clickhouse-client
	GO="$(GO)" nice scripts/fleet bin
	$(GO) test -count=1 -timeout 15m -v ./test/fleet -katrace $(CURDIR)/bin/katrace -otelcol $(CURDIR)/bin/otelcol \
		-victoria-logs $(CURDIR)/bin/victoria-logs $(if $(PICTURES),-pictures $(abspath $(PICTURES))) $(FLEET)

# The BPF objects and the Go code made from bpf/. The committed ones are made
# by CLANG_VERSION: another one makes other bytes.
CLANG_VERSION ?= 14
.PHONY: generate
generate:
	scripts/need clang-$(CLANG_VERSION) llvm-$(CLANG_VERSION) libbpf-dev linux-libc-dev gcc
	BPF2GO_CC=clang-$(CLANG_VERSION) BPF2GO_STRIP=llvm-strip-$(CLANG_VERSION) \
	BPF2GO_CFLAGS="-idirafter /usr/include/$$(gcc -print-multiarch)" \
		$(GO) generate ./...

# The pictures of the live view, from recordings that are committed.
.PHONY: pictures
pictures: bin/katrace
	scripts/need tmux
	$(GO) run ./scripts/pictures -katrace bin/katrace -dir docs/images

# These recordings: plays with hosts and programs that one knows
# (scripts/stage), by kprobes in a guest.
.PHONY: recording
recording: bin/katrace
	$(GO) build -trimpath -o bin/stage ./scripts/stage
	$(GO) run ./test/vm run -kernel newest -timeout 6m -file bin/katrace -file bin/stage -- \
		/stage -attach kprobe >bin/incident.json
	mv bin/incident.json docs/images/incident.json
	$(GO) run ./test/vm run -kernel newest -timeout 12m -file bin/katrace -file bin/stage -- \
		/stage -outages -attach kprobe >bin/outages.json
	gzip -9n <bin/outages.json >docs/images/outages.json.gz

# The program output in README.md and docs/, where a comment "output:" names
# the command. GUEST=1 also makes what comes from guests ("demo:").
.PHONY: docs-output
GUEST ?=
docs-output: bin/katrace
	$(GO) run ./scripts/docsoutput -katrace bin/katrace $(if $(GUEST),-guest) README.md $(wildcard docs/*.md)

# What is committed is what the sources make, tidy and formatted.
.PHONY: check
check: generate
	git diff --exit-code --stat -- internal
	test -z "$$(gofmt -l $$(git ls-files '*.go'))"
	$(GO) mod verify
	$(GO) mod tidy -diff
	$(GO) run ./scripts/licences | diff - THIRD_PARTY_LICENSES || { echo "run make licences"; exit 1; }

# The licences of all that the binary is made of.
.PHONY: licences
licences:
	$(GO) run ./scripts/licences >THIRD_PARTY_LICENSES

.PHONY: lint
GOLANGCI = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
lint:
	$(GO) run $(GOLANGCI) run ./...

# The man pages, made from what --help is made from: into man/.
.PHONY: man
man:
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(GO) test -count=1 ./cmd/katrace -run '^TestManPages$$' -man $(CURDIR)/man

# A .deb, an .rpm and a .tar.gz for amd64 and arm64, a container image, a bill of
# materials, and SHA256SUMS: into dist/. The same commit makes the same bytes.
.PHONY: packages
packages:
	GO="$(GO)" scripts/packages dist

# They are made twice and compared, checked, the image is run by podman, and the .deb
# and the .rpm are installed in a Debian of its own (some minutes; root). What runs there
# is the unit's command line: systemd itself is asked only what it thinks of the unit.
.PHONY: test-packages
test-packages: packages
	scripts/need lintian rpm rpmlint cpio logrotate mmdebstrap systemd podman runc
	GO="$(GO)" scripts/packages-test dist

# The .deb in guests whose first process is systemd (root; a quarter of an hour a kernel).
.PHONY: test-systemd
test-systemd: packages
	scripts/need mmdebstrap e2fsprogs qemu-system-x86
	GO="$(GO)" test/systemd/run dist 6.1 newest

# katrace for long, while its log is rotated, the disk is full now and then, its
# metrics are scraped, and connections fall silent, recover and die; root.
.PHONY: soak
MINUTES ?= 60
soak: bin/katrace
	scripts/need logrotate
	$(GO) build -o bin/soak ./test/soak
	bin/soak -time $(MINUTES)m -katrace bin/katrace

# What benchstat (golang.org/x/perf) reads: make bench BENCH="-cpu 1 -count 6" >new
.PHONY: bench
BENCH ?=
bench:
	$(GO) test -run '^$$' -bench . -benchmem $(BENCH) ./cmd/... ./internal/...

# Half a million loopback connections, without and with katrace; root, 5 GB of
# memory. RATES="100000,200000" goes on to where it begins to lose.
.PHONY: bench-storm
RATES ?= 100000
bench-storm: bin/katrace
	$(GO) build -o bin/storm ./test/storm
	bin/storm -backlog 100000 -rates $(RATES) -katrace bin/katrace -dir /dev/shm

# The same load beside other tools, in turn (docs/performance.md): here, by tracepoints,
# at three rates; and in a guest with Debian 13's tools, whose clock counts instructions,
# by kprobes; root, 5 GB of memory, an hour of a machine that does nothing else. A tool
# that is no package of Debian's has to be there already: PEERS=ebpf_exporter, or
# PEERS_VM=ebpf_exporter FILES_VM="-file DIR/ebpf_exporter -file DIR/examples:/examples".
.PHONY: bench-peers
PEERS    ?= bpftrace,bpftrace-large,bpftrace-count,tcpdump,ss
PEERS_VM ?= bpftrace-kprobe,bpftrace-kprobe-count,tcpdump,ss,pwru
FILES_VM ?=
BESIDE    = -dir /dev/shm -args "-o json; -o json --changes --metrics SOCKET; -o none --metrics SOCKET"
bench-peers: bin/katrace
	scripts/need bpftrace tcpdump tshark iproute2 mmdebstrap
	$(GO) build -o bin/storm ./test/storm
	bin/storm -backlog 100000 -conns 50000 -rates 10000 -time 10s $(BESIDE) -peers $(PEERS),tshark
	bin/storm -backlog 100000 -conns 150000 -rates 30000 -time 10s $(BESIDE) -peers $(PEERS)
	bin/storm -backlog 100000 -conns 500000 -rates 100000 -time 10s $(BESIDE) -peers $(PEERS)
	[ -d bin/trixie ] || mmdebstrap --mode=root --variant=minbase --include=bpftrace,pwru,tcpdump,iproute2 trixie bin/trixie
	$(GO) run ./test/vm run -icount -kernel newest -mem 3072 -timeout 1h -file bin/katrace -file bin/storm $(FILES_VM) \
		-root bin/trixie $(patsubst %,-program %,/usr/bin/bpftrace /usr/bin/pwru /usr/bin/tcpdump /usr/bin/ss /bin/sh /bin/sleep) -- \
		/storm -instructions -conns 4000 -rates 2000 -time 8s -katrace /katrace $(BESIDE) -peers $(PEERS_VM)

# What katrace costs in the kernel (docs/performance.md): nanoseconds here, beside
# bpftrace; instructions in guests, by every backend and by what they are for; root.
# TABLES="-top 20" also lists the functions with the most of them.
.PHONY: bench-kernel
TABLES ?=
bench-kernel: bin/katrace
	scripts/need bpftrace
	$(GO) build -o bin/cost ./test/cost
	bin/cost -katrace bin/katrace -backends tracepoint -flags '' -bpftrace -inside
	for kernel in 5.10 newest; do \
		$(GO) run ./test/vm run -blocks bin/blocks.$$kernel -timeout 15m -kernel $$kernel -file bin/katrace -file bin/cost -- \
			/cost -count -conns 1000 -flags=--metrics=unix:/metrics,--all,--rtt -katrace /katrace >bin/counted.$$kernel && \
		bin/cost $(TABLES) -tables bin/blocks.$$kernel <bin/counted.$$kernel || exit; \
	done
