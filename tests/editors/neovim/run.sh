#!/bin/bash
# Tests the Neovim plugin in the real editors: Neovim 0.12, 0.10, and the unsupported 0.7.
#
#   run.sh [PYTEST-ARGUMENTS]
#   run.sh --screenshot OUT.png     create a picture for the documentation
#
# install.sh installs what is missing. The tested server is ONDOL, or else `ondol` on the PATH.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
"$here/install.sh"
cache=$(realpath -m "${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}")/neovim
ONDOL=${ONDOL:-$(command -v ondol || true)}
[ -x "$ONDOL" ] || { echo "neovim tests: no \`ondol\` on PATH and none in ONDOL" >&2; echo "  install the project (pip install -e .), or set ONDOL to its console script" >&2; exit 1; }
export ONDOL ONDOL_EDITOR_TESTS=1 PYTHONDONTWRITEBYTECODE=1
if [ "${1:-}" = --screenshot ]; then
    exec "$cache/venv/bin/python" "$here/screenshot.py" "$(realpath -m "$2")"
fi
exec "$cache/venv/bin/python" -m pytest -q -p no:cacheprovider -c /dev/null --rootdir "$here" --confcutdir "$here" "$here" "$@"
