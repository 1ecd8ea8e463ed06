#!/bin/sh
# Runs every test: the product's module, end to end on PostgreSQL too, then the module that drives the real binary with
# the published SDK, on both engines. What it prints last is go test's own summary.
set -eu
cd "$(dirname "$0")/.."

scripts/deps.sh

# -count=1: tests here start the built binary and ask `go list`, which the test cache cannot see into.
set -- -count=1 -shuffle=on -timeout=20m
export CGO_ENABLED=0
unset HITHER_TEST_ENGINE

race= cgo=0
if scripts/deps.sh has race; then
	# SQLite's own code, which was translated from C and does its locking itself, is not watched: it would take ten times as
	# long. These two packages and no other: one that holds copies of generic code of the standard library, as
	# modernc.org/sqlite does of sync.Map's, may lend them to the whole program, which then sees races that are none.
	# test/harness says the same for the binary that it builds.
	race='-race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false' cgo=1
else
	echo 'test: WITHOUT the race detector' >&2
fi
product() { CGO_ENABLED=$cgo go test $race "$@"; }

# What other clients did, and what was left out, is shown here: go test says nothing where all is well.
report=$(mktemp)
trap 'rm -f "$report"' EXIT
# What fails does not keep the rest from being run: a second failure is worth as much as the first.
failed=0
# The rules, the pages and the commands share nothing between goroutines that isn't another package's. These, the store and
# the kills of test/e2e take several times as long under the detector. What the store shares is watched in the whole binary:
# on SQLite by test/fault and test/soak, on PostgreSQL by test/e2e, which comes once more below.
plain='./internal/iam ./internal/store/... ./internal/console ./cmd/hither ./test/e2e'
# Unquoted on purpose: several packages.
go test "$@" $plain || failed=1
watched=$(go list ./... | grep -vE '^hither/(internal/iam|internal/store.*|internal/console|cmd/hither|test/e2e)$')
(export HITHER_CLIENTS_REPORT="$report" && product "$@" $watched) || failed=1
grep -v '^LEFT OUT' "$report" || true
grep '^LEFT OUT' "$report" | while read -r line; do scripts/loud.sh "$line"; done
: >"$report"

# Tests that don't say on which engine they run are for both. Where there is no PostgreSQL, scripts/deps.sh has said so.
# The whole binary is under the detector here, with fewer rounds of what is random.
postgres=
if scripts/deps.sh has postgres; then postgres=postgres; fi
if [ -n "$postgres$race" ]; then
	echo "test: end to end once more, on ${postgres:-sqlite}"
	(export HITHER_TEST_ENGINE="${postgres:-sqlite}" && product "$@" -short ./test/e2e) || failed=1
fi

# No -race here: this module is a client, and what it drives is the binary it builds.
# What became of the SDK's own tests is shown in any case, before go test's summary.
for engine in sqlite $postgres; do
	[ "$failed" = 0 ] || echo 'test: something above has FAILED' >&2
	echo "test: the published SDK against the real binary on $engine"
	out=$(HITHER_TEST_ENGINE=$engine HITHER_SDK_REPORT=$report go -C test/sdk test "$@" ./... 2>&1) || failed=1
	cat "$report"
	printf '%s\n' "$out"
done
exit "$failed"
