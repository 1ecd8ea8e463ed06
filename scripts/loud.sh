#!/bin/sh
# loud.sh LINE... says on stderr, so that nobody overlooks it, that something was left out.
{
	echo
	echo '!!! ----------------------------------------------------------------'
	for line; do echo "!!! $line"; done
	echo '!!! ----------------------------------------------------------------'
	echo
} >&2
