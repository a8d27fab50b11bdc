#!/usr/bin/env bash
# Formatting, vet, staticcheck, and generated code that matches its models.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=$(go tool gofumpt -l cmd internal test)
[ -z "$bad" ] || { echo "gofumpt: these files are not formatted:"; echo "$bad"; exit 1; }
go vet ./...
go tool staticcheck ./...
if [ -x console/node_modules/.bin/tsc ]; then
  (cd console && npm run --silent check)
else
  echo "lint: the console is not checked: its packages are not installed (make build installs them)"
fi
echo "lint: ok"
