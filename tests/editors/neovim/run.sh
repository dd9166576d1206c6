#!/bin/bash
# Tests the Neovim plugin in real editors: Neovim 0.12 and 0.10, and 0.7 as the one that is too old.
#
#   run.sh [PYTEST-ARGUMENTS]
#   run.sh --screenshot OUT.png     a picture of a suggestion, for the documentation
#
# Fetches what is missing (install.sh). The server under test is ONDOL, else the `ondol` on PATH.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
"$here/install.sh"
cache=$(realpath -m "${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}")/neovim
ONDOL=${ONDOL:-$(command -v ondol || true)}
[ -x "$ONDOL" ] || { echo "neovim tests: no \`ondol\` on PATH and none in ONDOL" >&2; echo "  cure: install the project (pip install -e .), or set ONDOL to its console script" >&2; exit 1; }
export ONDOL ONDOL_EDITOR_TESTS=1 PYTHONDONTWRITEBYTECODE=1
if [ "${1:-}" = --screenshot ]; then
    exec "$cache/venv/bin/python" "$here/screenshot.py" "$(realpath -m "$2")"
fi
exec "$cache/venv/bin/python" -m pytest -q -p no:cacheprovider -c /dev/null --rootdir "$here" --confcutdir "$here" "$here" "$@"
