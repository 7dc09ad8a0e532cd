# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the livezone authors
#
# What the scripts of this folder share: where things are, one progress line for a long step with
# its log, packages, and waiting. Sourced with `top` set to the top of the repository.

# A caller may have closed stdin; nothing here reads it.
exec </dev/null
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
umask 022

: "${top:?}"
build=$top/build
logs=$build/log
mkdir -p "$logs"
# shellcheck disable=SC2034 # for the scripts
system_suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 1
}

# step TEXT LOG COMMAND...: runs COMMAND with its output in build/log/LOG.log, shows the elapsed
# time, and on failure the end of the log and its name. Returns the command's status. Callers test
# it, so `set -e` is off inside a COMMAND that is a function: such a function chains with &&.
# COMMAND runs in the foreground, that Ctrl-C ends it too.
step() {
	local text=$1 log=$logs/$2.log start=$SECONDS ticker status=0
	shift 2
	show_elapsed "$text" 9>&- &
	ticker=$!
	"$@" >"$log" 2>&1 9>&- || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	if ((status == 0)); then
		say "$text: done in $((SECONDS - start)) s"
	else
		say "$text: FAILED after $((SECONDS - start)) s; the end of $log:"
		tail -n 25 "$log" | sed 's/^/    /' >&2
	fi
	return "$status"
}

# show_elapsed TEXT: each second on a terminal, each 20 s in a log, until killed or the script's end
show_elapsed() {
	local start=$SECONDS silence
	exec {silence}<> <(:)
	# waits without a process of its own, which would outlive this one for a moment
	while ! read -rt 1 -u "$silence" && kill -0 $$ 2>/dev/null; do
		if [[ -t 2 ]]; then
			printf '\r%s ... %d s' "$1" $((SECONDS - start)) >&2
		elif (((SECONDS - start) % 20 == 0)); then
			say "$1 ... $((SECONDS - start)) s"
		fi
	done
}

# Two scripts that build at once would break each other's tree: the second one waits. The lock is
# file 9, which no child keeps.
lock_build() {
	[[ -z ${LIVEZONE_LOCKED:-} ]] || return 0
	exec 9>"$build/.lock"
	flock -n 9 || { say "waiting for another build in $build"; flock 9; }
	export LIVEZONE_LOCKED=1
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root or sudo is needed for: $*"
	fi
}

# packages_of SECTION...: the names listed in scripts/packages under these sections
packages_of() {
	awk -v want=" $* " '
		/^\[/ { gsub(/[][]/, ""); take = index(want, " " $0 " "); next }
		take && NF && !/^#/ { print $1 }' "$top/scripts/packages"
}

# install_packages SECTION...: installs what is missing; no apt at all when nothing is
install_packages() {
	local -a missing
	mapfile -t missing < <(comm -23 <(packages_of "$@" | sort -u) \
		<(dpkg-query -W -f '${db:Status-Status} ${Package}\n' |
			sed -n 's/^installed //p' | sort -u))
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null || die "no apt-get here; please install: ${missing[*]}"
	step "updating the package lists" apt-update as_root apt-get update ||
		say "going on with the lists as they are"
	step "installing ${#missing[@]} packages" apt-install \
		install_without_starting "${missing[@]}" ||
		die "could not install: ${missing[*]}"
}

# Some packages of the tests are daemons (redis-server, knot): they are started by their test, not
# by their installation, for which Debian asks policy-rc.d. One that exists is left alone.
install_without_starting() {
	local policy=/usr/sbin/policy-rc.d status=0 ours=no
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		ours=yes
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends "$@" || status=$?
	[[ $ours == no ]] || as_root rm -f "$policy"
	return "$status"
}

# wait_until SECONDS COMMAND...: runs COMMAND until it succeeds; fails at the deadline
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}
