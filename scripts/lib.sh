# Shared by the scripts beside it; sourced, never run.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}

# What the build needs, and what the tests need besides, as Debian 12 calls it.
BUILD_PACKAGES=(build-essential pkg-config libclang-dev libssl-dev libxml2-dev libxmlsec1-dev libxmlsec1-openssl)
TEST_PACKAGES=(xmlsec1 libxml2-utils redis-server postgresql chromium fonts-liberation python3 python3-venv openssl)

# Colour only on a terminal that wants it.
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'; else BOLD='' RED='' PLAIN=''; fi

say() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*"; }

# fail CAUSE [REMEDY]
fail() {
    printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
    [[ -z ${2:-} ]] || printf '  try: %s\n' "$2" >&2
    exit 1
}

# print_help FILE: the comment block at the top of a script is its help.
print_help() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$1"; }

missing_packages() {
    local package
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s\n' "$package"
    done
}

# need_packages PACKAGE…: installs what is missing, or says exactly what to type.
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        say "This is not a Debian system: please have ready what Debian calls: $*"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0

    local as_root=()
    if ((EUID != 0)); then
        if sudo -n true 2>/dev/null; then
            as_root=(sudo -n)
        else
            fail "these system packages are missing, and installing them needs root: ${missing[*]}" \
                "sudo apt-get update && sudo apt-get install --yes --no-install-recommends ${missing[*]}"
        fi
    fi
    say "Installing system packages: ${missing[*]}"
    # A package list from the image is often too old to download from, so it is always renewed.
    local log
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install: ${missing[*]}" "sudo apt-get update && sudo apt-get install ${missing[*]}"
    fi
    rm -f "$log"
}

need_rust() {
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null || fail "Rust is not installed (no cargo on the PATH)" "https://rustup.rs"
}

# need_python: .venv with exactly what tests/requirements.txt pins; made anew only when that file changes.
need_python() {
    local wanted stamp=$ROOT/.venv/.requirements
    wanted=$(sha256sum <"$ROOT/tests/requirements.txt")
    [[ -x $ROOT/.venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]] && return
    # Debian's own interpreter first: the python on the PATH may be a version that lacks ensurepip.
    local python=/usr/bin/python3
    [[ -x $python ]] || python=python3
    say "Making the Python environment of the tests in .venv"
    rm -rf "$ROOT/.venv"
    "$python" -m venv "$ROOT/.venv"
    "$ROOT/.venv/bin/pip" --disable-pip-version-check --quiet install --requirement "$ROOT/tests/requirements.txt"
    printf '%s\n' "$wanted" >"$stamp"
}

# free_port: a loopback port that nobody listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# answers PORT: does somebody accept connections there?
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# wait_for WHAT PID LOG COMMAND…: until COMMAND holds, at most 30 seconds; ends with the log when the process has died.
wait_for() {
    local what=$1 pid=$2 log=$3
    shift 3
    local _
    for _ in {1..300}; do
        "$@" && return
        if ! kill -0 "$pid" 2>/dev/null; then
            tail -n 20 "$log" >&2
            fail "$what ended before it was ready"
        fi
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    fail "$what did not become ready within 30 seconds"
}
