"""The configurations in docs/editors.md work in the real editors with the real server."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from editor import CACHE, Screen, discard, environment, make_repository, wait

ONDOL = os.environ.get("ONDOL", "ondol")
DOCS = Path(__file__).resolve().parents[3] / "docs" / "editors.md"
MODULE = '''def load_{name}(path, limit):
    """Load {name}."""
    with open(path, encoding="utf-8") as handle:
        records = json.load(handle)
    if not isinstance(records, list):
        raise ValueError(f"{{path}} does not hold a list of records")
    return records[:limit]
'''
TYPED = 'raise ValueError(f"{path} does'
WHOLE = '        raise ValueError(f"{path} does not hold a list of records")'
PAGE = "import json\n\n\ndef check(path, records):\n    if not isinstance(records, list):\n"
QUIET = """
(setq inhibit-startup-screen t make-backup-files nil auto-save-default nil native-comp-jit-compilation nil
      native-comp-enable-subr-trampolines nil)
(electric-indent-mode -1) (electric-pair-mode -1)
"""
LSP_MODE = """
(dolist (folder (file-expand-wildcards (concat (getenv "ELPA") "/*"))) (add-to-list 'load-path folder))
(load "lsp-mode-autoloads")
(setq lsp-auto-guess-root t lsp-enable-suggest-server-download nil lsp-enable-file-watchers nil
      lsp-disabled-clients '(pyls pylsp pyright ruff semgrep-ls ty-ls) lsp-completion-enable nil)
"""


def configuration(heading: str, language: str) -> str:
    """Return the first code block of a language under a heading of the page, with the tested server."""
    section = DOCS.read_text(encoding="utf-8").split(heading, 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.S)
    assert found, heading
    return (
        found.group(1)
        .replace('"ondol" "serve"', f'"{ONDOL}" "serve"')
        .replace('command = "ondol"', f'command = "{ONDOL}"')
    )


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="on-"))
    repo = make_repository(
        path / "repo",
        {
            f"{name}.py": "import json\n\n\n" + MODULE.format(name=name)
            for name in ("orders", "coupons", "parcels", "baskets", "reviews", "refunds")
        },
    )
    subprocess.run([ONDOL, "index", str(repo)], env=environment(path), check=True, stdout=subprocess.DEVNULL)
    (repo / "page.py").write_text(PAGE)
    yield path
    discard(path)


def emacs(home: Path, init: str) -> Screen:
    (home / "init.el").write_text(QUIET + init)
    return Screen(
        [str(CACHE / "emacs" / "emacs"), "-nw", "-Q", "-l", str(home / "init.el"), "page.py"], home, home / "repo"
    )


def saved(screen: Screen, home: Path) -> None:
    def text() -> str:
        try:
            return (home / "repo" / "page.py").read_text()
        except FileNotFoundError:  # Helix renames the old file before it writes the new one
            return ""

    wait(lambda: text().rstrip("\n") == PAGE + WHOLE, "the saved text", lambda: text() + screen.screen())


def test_emacs_lsp_mode_shows_ghost_text(home):
    screen = emacs(home, LSP_MODE + configuration("### lsp-mode", "elisp"))
    try:
        screen.see(r"initialized successfully", "the server")
        screen.keys("M->")
        screen.type("        " + TYPED)
        screen.see(re.escape(WHOLE))
        screen.keys("Tab")
        screen.keys("C-x", "C-s")
        saved(screen, home)
    finally:
        screen.close()


def test_emacs_eglot_lists_it(home):
    screen = emacs(home, configuration("### eglot", "elisp"))
    try:
        screen.see(r"\[eglot:repo\]", "the server")
        screen.keys("M->")
        screen.type("        " + TYPED)
        time.sleep(1)
        screen.keys("C-M-i")
        screen.see(r"not hold a list of records")
        screen.keys("M-Down", "M-Enter")
        screen.see(re.escape(WHOLE))
        screen.keys("C-x", "C-s")
        saved(screen, home)
    finally:
        screen.close()


def test_helix_lists_it(home):
    folder = home / "config" / "helix"
    folder.mkdir(parents=True)
    text = configuration("## Helix", "toml").replace('"pylsp", ', "")
    (folder / "languages.toml").write_text(text + "auto-format = false\n")
    (folder / "config.toml").write_text("[editor]\nauto-pairs = false\n")
    runtime = {"HELIX_RUNTIME": str(CACHE / "helix" / "root" / "usr" / "lib" / "helix" / "runtime")}
    screen = Screen([str(CACHE / "helix" / "root" / "usr" / "bin" / "hx"), "page.py"], home, home / "repo", env=runtime)
    try:
        screen.see("NOR")
        screen.keys("g", "e", "o")
        screen.see("INS")
        screen.type("    " + TYPED)
        # Helix does not repeat requests for text that was typed before the server was ready.
        wait(lambda: screen.keys("C-x") or time.sleep(1) or "hold a list" in screen.screen(), "the list", screen.screen)
        screen.keys("Tab")
        screen.see(re.escape(WHOLE))
        screen.keys("Escape")
        screen.type(":w")
        screen.keys("Enter")
        saved(screen, home)
    finally:
        screen.close()
