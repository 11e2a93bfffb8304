# make help lists the targets.

GO       ?= go
FUZZTIME ?= 20s
TOOL     := $(GO) run tools.go
# Compilers and tests collect garbage less often: a fifth less work, for up to a gigabyte for each.
TESTGOGC ?= 800

# The packages of the library, and those of the tool, which is a module of its own: go.work
# lets the go command work with both.
ALL := ./... ./cmd/qapi/...

# The packages with concurrent code.
CONCURRENT := ./qmp/... ./raw/... ./qapi/qga/... ./qapi/job/... ./qapi/disk/... ./qapi/hotplug/... ./qapi/migration/... ./examples/... \
	$(addprefix ./cmd/qapi/internal/,cli live shell target top)
# What encodes and decodes JSON.
JSON := ./qmp/... ./raw/... ./qapi/... ./internal/... ./cmd/qapi/...
# The modules of examples that have requirements of their own.
MODULES    := examples/otel examples/ssh
PLATFORMS  := windows/amd64 darwin/arm64 freebsd/amd64 linux/arm64 linux/386 linux/s390x

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | \
		while IFS="$$(printf '\t')" read -r target what; do printf '  make %-15s %s\n' "$$target" "$$what"; done

.PHONY: build
build: ## compile everything
	$(GO) build $(ALL)

# Some tests wait for processes, so that more of them run at a time than there are processors.
# Without cgo each of the 73 test programs is linked faster, and no C compiler is needed.
.PHONY: test
test: ## run the tests, without those that take long; lint runs go vet
	CGO_ENABLED=0 GOGC=$(TESTGOGC) $(GO) test -p 4 -parallel 8 -vet=off -short $(ALL)

.PHONY: race
race: ## run the tests of what has concurrency with the race detector
	$(GO) test -vet=off -race -short $(CONCURRENT)

.PHONY: check
check: lint check-generate race ## all that a commit needs: lint, the bindings, race, all tests, GOEXPERIMENT=jsonv2, each module
	CGO_ENABLED=0 $(GO) test -vet=off $(ALL)
	CGO_ENABLED=0 GOEXPERIMENT=jsonv2 $(GO) test -vet=off -short $(JSON)
	@for dir in $(MODULES); do (set -x; cd $$dir && $(GO) vet ./... && $(GO) test ./...) || exit 1; done

.PHONY: testdata
testdata: ## fetch QEMU's schemas (2 GB of archives), with which some tests compare, into bin/testdata
	sh internal/corpus/fetch.sh bin/testdata

.PHONY: cross
cross: ## compile everything, tests too, for other systems and processors
	@for platform in $(PLATFORMS); do \
		echo "$$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} CGO_ENABLED=0 $(GO) vet $(ALL) || exit 1; \
	done

# Tests with a real QEMU wait most of the time, so that more of them run at a time.
.PHONY: test-qemu
test-qemu: ## run the tests that need a real QEMU, with the race detector: each in QAPI_QEMU_LAB, or QEMU, or the one on PATH
	QAPI_REQUIRE_QEMU=1 $(GO) test -p 4 -race -count=1 -timeout 20m -run '^TestQEMU' $(ALL)

.PHONY: test-libvirt
test-libvirt: ## run the tests that need libvirtd and a real QEMU (as for test-qemu), with the race detector
	QAPI_REQUIRE_LIBVIRT=1 QAPI_REQUIRE_QEMU=1 $(GO) test -race -count=1 -timeout 10m -run '^TestLibvirt' ./qmp/libvirt/... ./examples/hotplug
	cd examples/ssh && QAPI_REQUIRE_LIBVIRT=1 $(GO) test -race -count=1 ./...

.PHONY: generate
generate: ## write the bindings again
	$(GO) generate .

.PHONY: schema
schema: ## add or renew a release's schema: QEMU=source tree, release archive or its https address
	@test -n "$(QEMU)" || { echo "make schema QEMU=...: a QEMU source tree, a release archive, or the https address of one"; exit 2; }
	$(GO) run ./cmd/qapi schema import $(QEMU)

.PHONY: devices
devices: ## ask QEMU binaries of a release for their devices: QEMU=paths, or the one on PATH
	$(GO) run ./cmd/qapi devices $(or $(QEMU),qemu-system-x86_64)

.PHONY: check-generate
check-generate: ## fail if the bindings are not what the generator writes
	@grep -q '^//go:generate ' gen.go || { echo "gen.go: there is no go:generate line"; exit 1; }
	sed -n 's,^//go:generate ,,p' gen.go | while read -r command; do $$command -check </dev/null || exit 1; done

.PHONY: docs
docs: ## how much of the schema and of the devices our own descriptions cover
	$(GO) test -count=1 -v -run '^TestCoverage$$' ./generator/descriptions ./generator/internal/device | sed -n 's/.*_test.go:[0-9]*: //p'

.PHONY: api
api: ## fail if programs of users no longer compile, and CHANGELOG.md does not say why
	$(GO) run ./internal/api

.PHONY: api-update
api-update: ## record the exported API as it is, after a look at what make api says
	$(GO) run ./internal/api -update

.PHONY: lint
lint: api ## gofmt, go mod tidy, go vet, staticcheck, golangci-lint, api; the library without the tool
	@for dir in . $(MODULES); do (cd $$dir && $(GO) mod tidy -diff) || exit 1; done
	@$(TIDY_TOOL) -diff
	@cd tools && GOWORK=off $(GO) mod tidy -diff
	@files=$$(gofmt -l .); test -z "$$files" || { echo "not as gofmt writes it:" $$files; exit 1; }
	GOWORK=off $(GO) build ./...
	$(GO) vet $(ALL)
	$(GO) vet tools.go
	$(TOOL) staticcheck $(ALL)
	$(TOOL) golangci-lint run $(ALL)

# cmd/qapi/go.mod must not replace the library, since "go install" would refuse it, and the
# release of the library that it requires may not be published yet. A copy of it replaces it.
TIDY_TOOL := mkdir -p bin && cp cmd/qapi/go.mod bin/qapi.mod && cp cmd/qapi/go.sum bin/qapi.sum && \
	$(GO) mod edit -replace github.com/goqapi/goqapi=../.. bin/qapi.mod && \
	cd cmd/qapi && GOWORK=off $(GO) mod tidy -modfile=../../bin/qapi.mod

.PHONY: tidy
tidy: ## go mod tidy in each module
	@for dir in . $(MODULES); do (cd $$dir && $(GO) mod tidy) || exit 1; done
	@$(TIDY_TOOL)
	cd tools && GOWORK=off $(GO) mod tidy
	$(GO) mod edit -dropreplace github.com/goqapi/goqapi bin/qapi.mod
	cp bin/qapi.mod cmd/qapi/go.mod && cp bin/qapi.sum cmd/qapi/go.sum

.PHONY: demo
demo: ## drive a QEMU (QEMU=path, or the one on PATH), or the fake one where there is none
	$(GO) run ./examples/hotplug

.PHONY: bench
bench: ## measure what has limits, in one table; all that was printed goes to bin/bench.txt
	@mkdir -p bin
	$(GO) run ./internal/bench -raw bin/bench.txt

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (20s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u | while read -r dir; do \
		names=$$($(GO) test -list '^Fuzz' "$$dir") || { echo "$$names"; exit 1; }; \
		for name in $$(echo "$$names" | grep '^Fuzz'); do \
			$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null || exit 1; \
		done || exit 1; \
	done

.PHONY: size
size: ## what the bindings cost: bytes in a program, time and memory to compile
	$(GO) test -count=1 -v -run '^TestSize$$' -bench '^BenchmarkCompile$$' -benchtime 3x ./internal/arch

.PHONY: cover
cover: ## test coverage, package by package, and in bin/cover.html
	@mkdir -p bin
	$(GO) test -coverprofile=bin/cover.out $(ALL)
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html

.PHONY: clean
clean: ## remove the files that the targets above have written into bin
	rm -rf bin
