#!/bin/bash
# Tests the VS Code extension: unit tests, then end-to-end tests in the real workbench (code-server) in a headless Chromium.
#
#   tests/editors/vscode/run.sh [--unit | --install | --only PATTERN | --screenshots | --bench [ARGUMENTS] |
#                                --script FILE [ARGUMENTS] ]
#
# Needs npm. The end-to-end tests also need Chromium, which is installed with apt-get as root, and the console script `ondol`
# from ONDOL_COMMAND, .venv/bin/ondol or the PATH. Everything else is installed into
# ${ONDOL_EDITOR_CACHE:-~/.cache/ondol-editors} (about 800 MB). Nothing is downloaded while the tests run.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
cache=${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}
workbench=$cache/workbench
npm_options=(--no-audit --no-fund --ignore-scripts --loglevel=error)

fail() { echo "tests/editors/vscode: $*" >&2; exit 1; }

find_chromium() {
  local name
  for name in ${ONDOL_CHROMIUM:-} chromium chromium-browser google-chrome; do
    command -v "$name" && return
  done
  return 1
}

install_chromium() {
  find_chromium >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "no Chromium found; install the package chromium, or set ONDOL_CHROMIUM."
  echo "installing Chromium"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-noto-cjk; } \
    >"$cache/apt.log" 2>&1 || { tail -5 "$cache/apt.log" >&2; fail "Chromium could not be installed (full log: $cache/apt.log)."; }
  find_chromium >/dev/null || fail "Chromium was installed but is not on the PATH."
}

install_workbench() {
  local wanted inner=$workbench/node_modules/code-server/lib/vscode
  wanted=$(sha256sum "$here/workbench/package-lock.json" | cut -d' ' -f1)
  [ "$(cat "$workbench/installed" 2>/dev/null)" = "$wanted" ] && return
  [ "$(uname -sm)" = "Linux x86_64" ] || fail "the workbench supports only Linux on x86_64, this is $(uname -sm)."
  echo "installing the workbench into $workbench"
  rm -rf "$workbench" && mkdir -p "$workbench"
  cp "$here/workbench/package.json" "$here/workbench/package-lock.json" "$workbench/"
  # Install scripts are skipped, because they build native modules that the tests do not need. The inner package has its own lock.
  (cd "$workbench" && npm ci "${npm_options[@]}") >"$cache/npm.log" 2>&1 || { tail -5 "$cache/npm.log" >&2; fail "npm could not install the workbench (full log: $cache/npm.log)."; }
  (cd "$inner" && npm install --no-save --omit=dev "${npm_options[@]}") >>"$cache/npm.log" 2>&1 || { tail -5 "$cache/npm.log" >&2; fail "npm could not install the workbench's own packages (full log: $cache/npm.log)."; }
  echo "$wanted" >"$workbench/installed"
}

find_ondol() {
  local candidate
  for candidate in "${ONDOL_COMMAND:-}" "$root/.venv/bin/ondol" "$(command -v ondol || true)"; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { realpath -s "$candidate"; return; }
  done
  fail "no ondol found; install the project (pip install -e .), or set ONDOL_COMMAND."
}

build_extension() {
  cd "$root/editors/vscode"
  [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci "${npm_options[@]}" || fail "npm ci failed in editors/vscode."
  npm run --silent package >"$cache/package.log" 2>&1 || { tail -20 "$cache/package.log" >&2; fail "the extension could not be packaged."; }
}

[ "${1:-}" = --script ] && script=$(realpath "$2")
command -v npm >/dev/null && command -v node >/dev/null || fail "npm and node are needed."
mkdir -p "$cache"
build_extension
[[ "${1:-}" = --install || "${1:-}" = --script ]] || npm run --silent test || fail "the unit tests failed."
[ "${1:-}" = --unit ] && exit 0
install_chromium
install_workbench
[ "${1:-}" = --install ] && exit 0

export ONDOL_WORKBENCH=$workbench ONDOL_VSIX=$root/editors/vscode/ondol.vsix ONDOL_CHROMIUM ONDOL_COMMAND ONDOL_ARTIFACTS
ONDOL_CHROMIUM=$(find_chromium)
ONDOL_COMMAND=$(find_ondol)
ONDOL_ARTIFACTS=${ONDOL_ARTIFACTS:-$root/artifacts/vscode}
mkdir -p "$ONDOL_ARTIFACTS"
cd "$here"
case "${1:-}" in
  --screenshots) exec node "$root/scripts/vscode_screenshots.mjs" ;;
  --script) exec node "$script" "${@:3}" ;;
  --bench) shift; exec node "$root/benchmarks/bench_vscode.mjs" "$@" ;;
  --only) exec node --test --test-concurrency=1 --test-reporter=spec --test-name-pattern="$2" e2e/*.test.mjs ;;
  "") exec node --test --test-concurrency=1 --test-reporter=spec e2e/*.test.mjs ;;
  *) fail "unknown argument $1" ;;
esac
