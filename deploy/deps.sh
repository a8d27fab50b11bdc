#!/usr/bin/env bash
# Installs the Debian packages Slipway needs to run and to be tested. Packages that are there already cost nothing.
set -euo pipefail
run=(runc git ca-certificates e2fsprogs mmdebstrap openssh-client)
test=(busybox-static skopeo openssh-server haproxy wrk nginx-light curl)
command -v npm >/dev/null || run+=(npm)
command -v aws >/dev/null || test+=(awscli)
missing=()
for p in "${run[@]}" "${test[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "deps: these Debian packages are missing: ${missing[*]}" >&2
  echo "deps: run 'sudo make deps' once" >&2
  exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
# Packages that start a server at installation leave none running: Slipway's tests start their own.
for s in haproxy nginx ssh; do command -v service >/dev/null && service "$s" stop >/dev/null 2>&1 || true; done
