#!/usr/bin/env bash
# Builds the web console into internal/console/dist. Where its packages cannot be fetched, the program is built without it rather than
# not at all, and says at /console/ what is missing.
set -euo pipefail
cd "$(dirname "$0")/../console"
if [ package-lock.json -nt node_modules/.package-lock.json ]; then
  if ! npm ci --silent --fetch-retries=1 --fetch-timeout=30000; then
    echo "console: its packages cannot be fetched (npm ci); building without the console" >&2
    exit 0
  fi
  touch node_modules/.package-lock.json
fi
echo "building the web console"
npm run --silent build -- --logLevel warn
