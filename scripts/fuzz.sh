#!/bin/sh
# Runs every fuzz target there is, each for FUZZTIME (10s). A failing input is left by go test in the package's
# testdata/fuzz: commit it with the mend.
set -eu
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
time=${FUZZTIME:-10s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# What is found to be of interest Go makes shorter first, for a minute each unless told, and tries nothing else meanwhile:
# under load a whole run stood still for that ("execs: … (0/sec)"; go.dev/issue/51484). A second is enough.
#
# fuzz FOLDER TARGET. Go 1.26 has a race of its own at the end of -fuzztime (go.dev/issue/75804): a bare "context
# deadline exceeded" with no failing input is not a finding, and is run again. Anything else fails at once.
fuzz() {
	for try in 1 2 3; do
		if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" -fuzzminimizetime 1s "$1" >"$log" 2>&1 </dev/null; then
			tail -n 2 "$log"
			return 0
		fi
		if grep -qE 'Failing input written|panic:|test timed out|testing\.go:|_test\.go:' "$log" ||
			! grep -qE '^ +context deadline exceeded$' "$log"; then
			break
		fi
		[ "$try" = 3 ] || scripts/loud.sh "fuzz: $1 $2: Go's own end-of-time race, no failing input: once more"
	done
	cat "$log"
	return 1
}

targets=$(grep -rEo --include='*_test.go' --exclude-dir=sdk '^func Fuzz[A-Za-z0-9_]*' . | sed -E 's|/[^/]*_test\.go:func | |' | sort)
[ -n "$targets" ] || { echo 'fuzz: no target found' >&2; exit 1; }

failed=0
while read -r folder target; do
	echo "fuzz: $folder $target, $time"
	fuzz "$folder" "$target" || failed=1
done <<EOF
$targets
EOF
exit $failed
