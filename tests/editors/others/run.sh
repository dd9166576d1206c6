#!/bin/bash
# Tests the configurations of docs/editors.md in the real Emacs (lsp-mode, eglot) and the real Helix. The first run downloads 400 MB
# from Debian forky, so this is meant for a nightly run.
#
#   run.sh [PYTEST-ARGUMENTS]
set -euo pipefail
here=$(dirname "$(realpath "$0")")
neovim=$(realpath "$here/../neovim")
"$neovim/install.sh" --others
cache=$(realpath -m "${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}")/neovim
ONDOL=${ONDOL:-$(command -v ondol || true)}
[ -x "$ONDOL" ] || { echo "editor tests: no \`ondol\` on PATH and none in ONDOL" >&2; echo "  install the project (pip install -e .), or set ONDOL to its console script" >&2; exit 1; }
export ONDOL ONDOL_EDITOR_TESTS=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$neovim
exec "$cache/venv/bin/python" -m pytest -q -p no:cacheprovider -c /dev/null --rootdir "$here" --confcutdir "$here" "$here" "$@"
