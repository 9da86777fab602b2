#!/usr/bin/env bash
# packages.sh: which Debian packages are needed for what, and how the missing ones get installed.
#
# usage: packages.sh [PURPOSE]...
#
# Prints the packages for the purposes (build, run, test, bench), or for all: the only place that names them. The scripts
# beside it source it, after steps.sh.

# Configuring needs cmocka as well: Meson sets the tests up together with the program.
packages_build=(gcc libc6-dev binutils meson ninja-build pkg-config python3 libzydis-dev libjansson-dev libcmocka-dev)
packages_run=(busybox-static)
# The peer that figures are compared with, which is also the tests' referee.
packages_bench=(qemu-system-x86)
packages_test=(git clang-format acpica-tools mandoc shellcheck clang libclang-rt-14-dev)

apt_options=(-q -y --no-install-recommends)

# packages_of PURPOSE...: their packages, one a line.
packages_of() {
    local purpose
    for purpose; do
        case $purpose in
        build) printf '%s\n' "${packages_build[@]}" ;;
        run) printf '%s\n' "${packages_run[@]}" ;;
        test) printf '%s\n' "${packages_test[@]}" ;;
        bench) printf '%s\n' "${packages_bench[@]}" ;;
        *)
            echo "packages.sh: unknown purpose '$purpose'; there are build, run, test and bench" >&2
            return 2
            ;;
        esac
    done
}

# packages_missing PURPOSE...: those that are not installed, one a line.
packages_missing() {
    local wanted there package
    mapfile -t wanted < <(packages_of "$@")
    # dpkg-query fails when it knows nothing of a package: that one is missing like the others.
    there=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
    for package in "${wanted[@]}"; do
        [[ $'\n'$there$'\n' == *$'\n'"installed $package"$'\n'* ]] || echo "$package"
    done
}

# packages_ensure PURPOSE...: a step that installs what is missing, or ends with the command that root would have to run.
packages_ensure() {
    if ! command -v dpkg-query >/dev/null; then
        step_skip "packages: no dpkg here, so not checked; README.md says what is needed"
        return
    fi
    local missing
    mapfile -t missing < <(packages_missing "$@")
    if [ ${#missing[@]} = 0 ]; then
        step_skip "packages: all there"
        return
    fi
    if [ "$(id -u)" != 0 ]; then
        say "packages are missing; run as root:"
        echo "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&8
        exit 2
    fi
    packages_install "${missing[@]}"
}

# packages_install PACKAGE...: the step; as root.
# shellcheck disable=SC2154
packages_install() {
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
    local lock=(-o DPkg::Lock::Timeout=300)
    step_begin "packages: installing $*"
    # An installation that was cut off (power, SIGKILL) has to be finished before dpkg takes another.
    if [ -n "$(dpkg --audit 2>/dev/null)" ]; then
        run_child finish dpkg --configure -a >"$log" 2>&1 </dev/null ||
            step_fail "dpkg --configure -a failed: put the system's packages in order first"
    fi
    # One of several sources may be out of reach; whether that matters shows when the packages are fetched.
    run_child stop apt-get "${lock[@]}" -q update >"$log" 2>&1 </dev/null || true
    run_child stop apt-get "${lock[@]}" install "${apt_options[@]}" --download-only "$@" >>"$log" 2>&1 </dev/null ||
        step_fail "packages cannot be downloaded: is there a network, and does apt-get update work?"
    # Half-installed packages are worse than a late answer to Ctrl-c.
    run_child finish apt-get "${lock[@]}" install "${apt_options[@]}" "$@" >>"$log" 2>&1 </dev/null ||
        step_fail "packages cannot be installed"
    step_done "${#@} packages"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    case ${1-} in
    -h | --help) sed -n '2,/^\([^#]\|$\)/s/^# \{0,1\}//p' "$0" ;;
    '') packages_of build run test bench ;;
    *) packages_of "$@" ;;
    esac
fi
