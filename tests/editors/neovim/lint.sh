#!/bin/bash
# Checks the Lua code of the Neovim plugin: its layout with StyLua (from npm), its contents with luacheck (from Debian).
#
#   lint.sh           check
#   lint.sh --fix     format with StyLua first
set -euo pipefail
here=$(dirname "$(realpath "$0")")
plugin=$(realpath "$here/../../../editors/neovim")
cache=$(realpath -m "${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}")/neovim
cd "$here"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
luacheck=$(command -v luacheck || true)
if [ -z "$luacheck" ]; then
    ./install.sh --lint
    luacheck=$cache/luacheck/luacheck
fi
stylua=$here/node_modules/.bin/stylua
cd "$plugin"
if [ "${1:-}" = --fix ]; then "$stylua" lua plugin; fi
"$stylua" --check lua plugin
"$luacheck" --quiet lua plugin
