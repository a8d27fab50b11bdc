#!/usr/bin/env bash
# Installs the browser that the console's tests drive. Without one they are skipped, so this never fails.
set -uo pipefail
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "browser: no Chromium here; the console's tests are skipped ('sudo deploy/browser.sh' installs it)" >&2
  exit 0
fi
echo "browser: installing chromium"
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } ||
  echo "browser: Chromium cannot be installed; the console's tests are skipped" >&2
