#!/bin/sh
# Runs every test: the product's module, then the module that drives the real binary with the published SDK.
# What it prints last is go test's own summary.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh

# -count=1: tests here start the built binary and ask `go list`, which the test cache cannot see into.
set -- -count=1 -shuffle=on -timeout=20m
export CGO_ENABLED=0

if scripts/deps.sh has race; then
	CGO_ENABLED=1 go test -race "$@" ./...
else
	echo 'test: WITHOUT the race detector' >&2
	go test "$@" ./...
fi

# No -race here: this module is a client, and what it drives is the binary it builds.
# What became of the SDK's own tests is shown in any case, before go test's summary.
echo 'test: the published SDK against the real binary'
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
out=$(HITHER_SDK_REPORT=$report go -C test/sdk test "$@" ./... 2>&1) || status=$?
cat "$report"
printf '%s\n' "$out"
exit "$status"
