# Slipway. `make up` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
GO ?= go
export CGO_ENABLED ?= 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
SOURCES := $(shell find cmd internal -name '*.go' -o -name '*.json' -path '*internal*') go.mod go.sum
UP_FLAGS ?=

.PHONY: help deps build up down test lint generate e2e conformance bench bench-deps bench-edge bench-deploy bench-scale bench-api chaos fuzz vuln

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## install what the machine lacks (Debian packages; needs root)
	@deploy/deps.sh

# The web console is built where there is Node.js; without it the program says at /console/ how to get one. `make build CONSOLE=` does without.
BUNDLE := internal/console/dist/index.html.gz
CONSOLE := $(if $(shell command -v npm),$(shell node -e 'process.versions.node.split(".")[0] < 20 || console.log("$(BUNDLE)")' 2>/dev/null))

build: bin/slipway bin/slipway-shim ## build bin/slipway

bin/slipway: $(SOURCES) $(CONSOLE)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/slipway

$(BUNDLE): $(shell find console/src console/public console/build -type f) $(wildcard console/*.json console/*.ts console/*.html)
	@deploy/console.sh

# The same shim as `slipway shim`, without the rest: 1 MB of memory an instance instead of 7. Slipway uses it when it lies beside.
bin/slipway-shim: $(SOURCES)
	$(GO) build -trimpath -ldflags '-s -w' -o $@ ./internal/instance/oci/slipway-shim

up: deps build ## build, start Slipway, deploy the sample, print the URLs
	bin/slipway up --demo $(UP_FLAGS)

down: build ## stop Slipway and its applications
	bin/slipway down

test: deps build ## the whole test suite; really runs containers
	@deploy/browser.sh
	@if [ -x console/node_modules/.bin/vitest ]; then npm --prefix console --silent test; else echo "test: the console's own tests are skipped: its packages are not installed"; fi
	$(GO) test -shuffle=on -timeout 25m ./...

lint: ## formatting, vet, staticcheck, generated code in step
	@deploy/lint.sh

generate: ## regenerate the wire packages from spec/models
	$(GO) generate ./...

e2e: deps build ## the long end-to-end suite
	@{ command -v testssl && command -v slowhttptest && /usr/bin/python3 -c 'import grpc'; } >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends testssl.sh slowhttptest python3-grpcio >/dev/null; }
	$(GO) test -tags e2e -count=1 -timeout 60m -v ./test/e2e/... ./test/conformance/...

conformance: deps build ## every action through the AWS CLI, botocore, the Go SDK and the SDK for JavaScript
	$(GO) test -tags e2e -count=1 -timeout 30m -v ./test/conformance/...

BENCH = SLIPWAY_BIN=$(CURDIR)/bin/slipway $(GO) run ./test/bench

bench: deps bench-deps build ## measure against peers (at most 15 minutes)
	$(BENCH)

bench-edge: deps bench-deps
	$(BENCH) -only edge

bench-deploy: deps build
	$(BENCH) -only deploy

bench-scale: deps build
	$(BENCH) -only scale

bench-api: deps build
	$(BENCH) -only api

# h2load measures HTTP/2; nothing else needs it.
bench-deps:
	@command -v h2load >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends nghttp2-client >/dev/null; }

chaos: deps build ## kill the processes at every step boundary and at random moments; check histories of API calls
	$(GO) test -tags chaos -count=1 -timeout 60m -p 1 -v ./test/histories/... ./test/chaos/...

# Each target of each parser that meets the network, one after the other. FUZZ picks some by name.
FUZZTIME ?= 30m
FUZZ ?= Fuzz
fuzz: ## feed the parsers nonsense, FUZZTIME (30m) each
	@deploy/fuzz.sh $(FUZZTIME) '$(FUZZ)'

vuln: ## known vulnerabilities in what we link
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...
