#!/bin/sh
# Looks for known vulnerabilities that our code can reach, in the product and in test/sdk.
#
# The database is, in this order: HITHER_VULNDB (a folder in the layout that govulncheck reads, or a .tar.gz of one
# called vulndb); a vulndb.tar.gz next to this checkout or one folder beside it, for machines without a network;
# govulncheck's public one. Where none can be reached, this says so and goes on: only a finding fails.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
export CGO_ENABLED=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ -z "${GOVULNCHECK:-}" ]; then
	GOVULNCHECK=$root/bin/tools/govulncheck
	go build -C tools -o "$GOVULNCHECK" golang.org/x/vuln/cmd/govulncheck
fi

source=${HITHER_VULNDB:-}
if [ -n "$source" ]; then
	[ -e "$source" ] || { echo "vuln: HITHER_VULNDB: no such file or folder: $source" >&2; exit 1; }
else
	for file in ../vulndb.tar.gz ../*/vulndb.tar.gz; do
		if [ -f "$file" ]; then
			source=$file
			break
		fi
	done
fi

db=
if [ -d "$source" ]; then
	db=file://$(cd "$source" && pwd)
elif [ -n "$source" ]; then
	tar -xzf "$source" -C "$scratch"
	db=file://$scratch/vulndb
fi
echo "vuln: database: ${source:-public}"

# scan FOLDER: status 0 is clean; 2, the database was out of reach; anything else, found something or could not scan.
scan() {
	echo "vuln: scanning the module in $1"
	status=0
	(cd "$1" && "$GOVULNCHECK" ${db:+"-db=$db"} ./...) >"$scratch/log" 2>&1 || status=$?
	cat "$scratch/log"
	if [ -z "$db" ] && [ "$status" = 1 ] && grep -q '^govulncheck: fetching vulnerabilities: ' "$scratch/log"; then
		return 2
	fi
	[ "$status" != 2 ] || status=1
	return "$status"
}

failed=0
for module in . test/sdk; do
	status=0
	scan "$module" || status=$?
	case $status in
	0) ;;
	2)
		scripts/loud.sh 'NOT CHECKED for known vulnerabilities: no vulnerability database can be reached' \
			'(give one with HITHER_VULNDB=FOLDER or .tar.gz, or allow the network)'
		break
		;;
	*) failed=1 ;;
	esac
done
exit $failed
