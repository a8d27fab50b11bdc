# Slipway. `make up` and `make test` are all a newcomer needs; `make help` lists the rest.
SHELL := /bin/bash
GO ?= go
export CGO_ENABLED ?= 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
SOURCES := $(shell find cmd internal -name '*.go' -o -name '*.json' -path '*internal*') go.mod go.sum
UP_FLAGS ?=

.PHONY: help deps build up down test lint generate e2e bench bench-edge bench-deploy bench-api chaos fuzz vuln

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

deps: ## install what the machine lacks (Debian packages; needs root)
	@deploy/deps.sh

build: bin/slipway ## build bin/slipway

bin/slipway: $(SOURCES)
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/slipway

up: deps build ## build, start Slipway, deploy the sample, print the URLs
	bin/slipway up --demo $(UP_FLAGS)

down: build ## stop Slipway and its applications
	bin/slipway down

test: deps build ## the whole test suite; really runs containers
	$(GO) test -shuffle=on -timeout 25m ./...

lint: ## formatting, vet, staticcheck, generated code in step
	@deploy/lint.sh

generate: ## regenerate the wire packages from spec/models
	$(GO) generate ./...

e2e: deps build ## the long end-to-end suite
	$(GO) test -tags e2e -count=1 -timeout 60m -v ./test/e2e/...

bench: bench-edge bench-deploy bench-api ## measure against peers (at most 15 minutes)

bench-edge: deps build
	$(GO) run ./test/bench -only edge

bench-deploy: deps build
	$(GO) run ./test/bench -only deploy

bench-api: deps build
	$(GO) run ./test/bench -only api

chaos: deps build ## kill the processes at every step boundary and at random moments
	$(GO) test -tags chaos -count=1 -timeout 60m -v ./test/chaos/...

vuln: ## known vulnerabilities in what we link
	$(GO) run golang.org/x/vuln/cmd/govulncheck@latest ./...
