#!/bin/sh
# fuzz.sh TIME PATTERN: runs every fuzz target whose name matches, for a time each. A finding ends it and stays in the target's testdata.
# Making a find small gets seconds only: the default, a minute for each new input, would be most of the time of the slower targets.
set -eu
cd "$(dirname "$0")/.."
grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r package; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$package"/*_test.go | cut -c6- | grep -E "$2" | while read -r target; do
		echo "== $package $target for $1"
		${GO:-go} test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 2s -parallel "${FUZZPARALLEL:-$(nproc)}" </dev/null
	done
done
