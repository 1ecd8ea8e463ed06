#!/bin/sh
# Brings in what the tests like to have beyond Go, git and make.
#
#   scripts/deps.sh          Debian as root: installs what is missing; elsewhere: says what is missing and what is
#                            left out for it. Never fails: a machine without these still runs every test it can.
#   scripts/deps.sh has race exit status 0 if the named thing is there; installs and says nothing
#
# HITHER_INSTALL=no keeps it from installing anything.
set -u
cd "$(dirname "$0")/.." || exit 1

# One row each: name, what proves that it is there, Debian packages, what is left out without it, and what must
# happen before they are installed.
things() {
	thing race has_race 'gcc libc6-dev' 'the race detector (go test -race)'
	thing strace has_strace strace 'power cuts and the crash matrix (test/fault)'
	thing mounts has_mounts 'e2fsprogs mount' 'power cuts and full disks (test/fault); they also want root, the right to mount, and loop devices'
	thing browser has_browser 'chromium fonts-liberation' 'every page and story in a browser (internal/console, test/e2e)'
	thing npm has_npm 'npm' "what keeps people out of pages, and clients that are not in Go (npm fetches axe-core and these)"
	thing postgres has_postgres 'postgresql' 'every test on PostgreSQL' no_cluster
}

# has_postgres: a server of which tests can start a throw-away cluster; they look in the same places.
has_postgres() {
	# Unquoted on purpose: a pattern.
	for bin in ${HITHER_TEST_POSTGRES_BIN:-/usr/lib/postgresql/1[5-9]/bin /usr/lib/postgresql/[2-9][0-9]/bin}; do
		[ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && return
	done
	return 1
}

# has_browser: one that tests can drive; they look for the same names.
has_browser() {
	for command in chromium chromium-browser google-chrome; do command -v "$command" >/dev/null && return; done
	return 1
}

# has_npm: by it tests fetch axe-core and the clients of test/clients, of which Debian has no packages.
has_npm() {
	command -v npm >/dev/null
}

# no_cluster: Debian's package would start a server for the whole machine, which no test wants.
no_cluster() {
	install postgresql-common &&
		sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
}

# has_race: cgo, which -race needs, can compile and link with the C compiler that go would call.
has_race() {
	cc=$(go env CC) && probe=$(mktemp -d) || return 1
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' >"$probe/main.c"
	# Unquoted on purpose: CC may carry flags.
	$cc -pthread -o "$probe/main" "$probe/main.c" >/dev/null 2>&1
	status=$?
	rm -rf "$probe"
	return $status
}

# has_strace: it is there, and this machine lets it trace.
has_strace() {
	strace -D -f --seccomp-bpf -o /dev/null -e trace=fsync true >/dev/null 2>&1
}

# has_mounts: a file system can be made and mounted, which containers often forbid even to root.
has_mounts() {
	[ "$(id -u)" = 0 ] && [ -e /dev/loop-control ] || return 1
	for command in mkfs.ext4 unshare; do command -v "$command" >/dev/null || return 1; done
	# In a mount namespace, so that nothing stays mounted.
	unshare --mount mount -t tmpfs tmpfs /mnt >/dev/null 2>&1
}

can_install() {
	[ "${HITHER_INSTALL:-}" != no ] && [ -f /etc/debian_version ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::http::Timeout=30 -o Acquire::Retries=2 "$@" </dev/null 1>&2
}

# install PACKAGE...: with the package lists that are there; if those are absent or too old, with fresh ones.
install() {
	echo "deps: installing $*" >&2
	apt install -y --no-install-recommends "$@" 2>/dev/null && return
	apt update && apt install -y --no-install-recommends "$@"
}

# thing NAME PROOF PACKAGES SKIPPED [BEFORE]: what "has" asks for is answered, all else is brought in or bewailed.
thing() {
	if [ -n "$asked" ]; then
		[ "$asked" != "$1" ] && return
		"$2"
		exit
	fi
	"$2" && return
	# Unquoted on purpose: one word a package.
	can_install && { [ -z "${5:-}" ] || "$5"; } && install $3 && "$2" && return
	scripts/loud.sh "MISSING: $3" "LEFT OUT for it: $4" "(on Debian as root this script installs it; elsewhere please do)"
}

case "${1:-}" in
'') asked='' ;;
has) asked=${2:?name the thing} ;;
*)
	echo "usage: scripts/deps.sh [has NAME]" >&2
	exit 2
	;;
esac
things
if [ -n "$asked" ]; then
	echo "deps: nothing here is called $asked" >&2
	exit 2
fi
exit 0
