#!/bin/bash
# Unpacks the editors for the tests into a cache folder, without root and without installing anything on the machine.
#
#   install.sh              Neovim and tmux
#   install.sh --others     Neovim, tmux, Emacs and Helix, for tests/editors/others
#   install.sh --lint       luacheck only, for lint.sh
#
# The cache folder is ${ONDOL_EDITOR_CACHE:-~/.cache/ondol-editors}/neovim.
#
# Neovim 0.12 (Debian forky), 0.10.4 (trixie) and 0.7.2 (bookworm, an unsupported version) come from the Debian mirror of this machine.
# apt checks the signatures with Debian's archive keyring. Each is unpacked into its own folder with its own C library, and patchelf
# makes it run from there. (Starting it through ld.so is not enough, because the terminal interface starts itself again through
# /proc/self/exe.) Python packages are pinned by hash in requirements.txt.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
cache=$(realpath -m "${ONDOL_EDITOR_CACHE:-$HOME/.cache/ondol-editors}")/neovim
keyring=${ONDOL_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
mkdir -p "$cache"

fail() { echo "neovim tests: $1" >&2; echo "  fix: $2" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] || fail "the editors are x86-64 Debian packages, but this machine is $(uname -m)" \
    "run the tests on x86-64, or set ONDOL_NVIM_12, ONDOL_NVIM_10 and ONDOL_NVIM_OLD to your own editors"

mirror() {
    if [ -n "${ONDOL_DEBIAN_MIRROR:-}" ]; then echo "$ONDOL_DEBIAN_MIRROR"; return; fi
    cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^ *#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | sed -n 1p || true
}

# unpack SUITE NAME PACKAGE...: unpack the packages of a Debian suite and their dependencies into $cache/NAME
unpack() {
    local suite=$1 dest=$cache/$2.part address; shift 2
    command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || fail "apt-get and dpkg-deb are missing" "run the tests on Debian or Ubuntu"
    [ -r "$keyring" ] || fail "Debian's archive keyring is missing ($keyring)" "apt-get install debian-archive-keyring"
    address=$(mirror)
    [ -n "$address" ] || fail "this machine's apt sources contain no Debian mirror" "set ONDOL_DEBIAN_MIRROR"
    rm -rf "$dest"
    mkdir -p "$dest"/apt/{state/lists/partial,cache/archives/partial,etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d} "$dest/root"
    : > "$dest/apt/status"
    echo "deb [arch=amd64 signed-by=$keyring] $address $suite main" > "$dest/apt/etc/sources.list"
    local options=(-q -o Dir::State="$dest/apt/state" -o Dir::State::status="$dest/apt/status" -o Dir::Cache="$dest/apt/cache"
        -o Dir::Etc="$dest/apt/etc" -o Dir::Etc::sourcelist="$dest/apt/etc/sources.list" -o Dir::Etc::sourceparts=-
        -o APT::Sandbox::User= -o Debug::NoLocking=1 -o Acquire::Languages=none -o APT::Architecture=amd64 -o Acquire::Retries=3)
    { apt-get "${options[@]}" update && apt-get "${options[@]}" install -y --no-install-recommends --download-only "$@"; } \
        > "$dest/log" 2>&1 || { tail -5 "$dest/log" >&2; fail "$* could not be downloaded from Debian $suite" "see $dest/log"; }
    local archive
    for archive in "$dest"/apt/cache/archives/*.deb; do dpkg-deb -x "$archive" "$dest/root"; done
    rm -rf "$dest/apt"
}

# runnable NAME PROGRAM: make PROGRAM in $cache/NAME run with the libraries of its own folder. The folder is moved to its final place
# first, because patchelf writes absolute paths into the program.
runnable() {
    local root=$cache/$1/root program=$2 loader
    rm -rf "${cache:?}/$1"; mv "$cache/$1.part" "$cache/$1"
    loader=$(find "$root/" -name ld-linux-x86-64.so.2 | head -1)
    "$cache/venv/bin/patchelf" --set-interpreter "$loader" --force-rpath \
        --set-rpath "$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu" "$(realpath "$root/usr/bin/$program")"
}

neovim() { # neovim SUITE NAME EXPECTED-VERSION-PATTERN
    if [ ! -e "$cache/$2/ready" ]; then
        echo "neovim tests: fetching Neovim from Debian $1"
        unpack "$1" "$2" neovim
        runnable "$2" nvim
        local root=$cache/$2/root
        cat > "$cache/$2/nvim" <<RUN
#!/bin/sh
VIMRUNTIME='$root/usr/share/nvim/runtime' LUA_CPATH='$root/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;' exec '$root/usr/bin/nvim' "\$@"
RUN
        chmod +x "$cache/$2/nvim"
        touch "$cache/$2/ready"
    fi
    "$cache/$2/nvim" --version | head -1 | grep -qE "$3" \
        || fail "Debian $1 has $("$cache/$2/nvim" --version | head -1), expected $3" "delete $cache/$2, or change the suite in $0"
}

if [ ! -e "$cache/venv/ready" ] || ! cmp -s "$here/requirements.txt" "$cache/venv/ready"; then
    python=${PYTHON:-python3}
    rm -rf "$cache/venv"
    "$python" -m venv "$cache/venv" || fail "python3 cannot create a virtual environment" "apt-get install python3-venv"
    "$cache/venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$here/requirements.txt" \
        || fail "the Python packages of requirements.txt could not be installed" "check the network and the package index"
    cp "$here/requirements.txt" "$cache/venv/ready"
fi

luacheck() {
    if [ ! -e "$cache/luacheck/ready" ]; then
        echo "neovim lint: fetching luacheck from Debian bookworm"
        unpack bookworm luacheck lua-check
        runnable luacheck lua5.1
        local usr=$cache/luacheck/root/usr
        cat > "$cache/luacheck/luacheck" <<RUN
#!/bin/sh
export LUA_PATH='$usr/share/lua/5.1/?.lua;$usr/share/lua/5.1/?/init.lua' LUA_CPATH='$usr/lib/x86_64-linux-gnu/lua/5.1/?.so'
exec '$usr/bin/lua5.1' '$usr/bin/luacheck' "\$@"
RUN
        chmod +x "$cache/luacheck/luacheck"
        touch "$cache/luacheck/ready"
    fi
}

if [ "${1:-}" = --lint ]; then luacheck; exit; fi

[ -n "${ONDOL_NVIM_12:-}" ] || neovim forky nvim-0.12 '^NVIM v0\.(1[2-9]|[2-9][0-9])'
[ -n "${ONDOL_NVIM_10:-}" ] || neovim trixie nvim-0.10 '^NVIM v0\.10\.'
[ -n "${ONDOL_NVIM_OLD:-}" ] || neovim bookworm nvim-0.7 '^NVIM v0\.7\.'

if ! command -v tmux > /dev/null && [ ! -e "$cache/tmux/ready" ]; then
    echo "neovim tests: fetching tmux from Debian bookworm"
    unpack bookworm tmux tmux
    runnable tmux tmux
    touch "$cache/tmux/ready"
fi

if [ "${1:-}" = --others ] && [ ! -e "$cache/emacs/ready" ]; then
    echo "editor tests: fetching Emacs and lsp-mode from Debian forky"
    unpack forky emacs emacs-nox elpa-lsp-mode
    runnable emacs emacs-nox
    cat > "$cache/emacs/emacs" <<RUN
#!/bin/sh
usr='$cache/emacs/root/usr'
version=\$(ls "\$usr/share/emacs" | grep -E '^[0-9]' | head -1)
share=\$usr/share/emacs/\$version libexec=\$usr/libexec/emacs/\$version/x86_64-linux-gnu
export EMACSDATA=\$share/etc EMACSDOC=\$share/etc EMACSPATH=\$libexec EMACSLOADPATH=\$share/lisp:\$share/site-lisp ELPA=\$usr/share/emacs/site-lisp/elpa-src
exec "\$usr/bin/emacs-nox" --dump-file "\$(echo "\$libexec"/emacs*.pdmp)" "\$@"
RUN
    chmod +x "$cache/emacs/emacs"
    touch "$cache/emacs/ready"
fi
if [ "${1:-}" = --others ] && [ ! -e "$cache/helix/ready" ]; then
    echo "editor tests: fetching Helix from Debian forky"
    unpack forky helix hx
    runnable helix hx
    touch "$cache/helix/ready"
fi
