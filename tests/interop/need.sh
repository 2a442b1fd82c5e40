# Sourced by the tests of this folder. need NAME PACKAGE...: exit status 77 if a Debian package is
# missing.
need()
{
	name=$1 missing=
	shift
	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)
		[ "$status" = installed ] || missing="$missing $package"
	done
	[ -z "$missing" ] && return
	echo "$name: missing:$missing" >&2
	exit 77
}
