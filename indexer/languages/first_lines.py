"""The language of a file whose name says none, by what it says itself: ``#!/usr/bin/env bash``, a line for an editor.

Scripts seldom have an ending. Without a language their block words and comments mean nothing, and an editor that shows
the file as shell asks for it under another name than the index has.
"""

import re
from typing import Final

LINES: Final = 5
"""Lines at either end of a file that may hold a line for an editor, as in Vim."""

CHARACTERS: Final = 1_000
"""Characters at either end of a file that are looked at."""

_RUNS = re.compile(r"#!\s*(.+)")
_EMACS = re.compile(r"-\*-\s*(?:.*?\bmode:\s*)?([\w+-]+)\s*(?:;.*?)?-\*-", re.IGNORECASE)
_VIM = re.compile(r"\b(?:vim?|ex):.*?\b(?:ft|filetype|syntax)=([\w+-]+)")
_VERSION = re.compile(r"[\d.]+$")

_PASSED_ON: Final = re.compile(r"-|\w+=|/?(?:\S*/)?env$")
"""Words of a first line that name no interpreter: options, variables, and the program that looks for one."""

NAMES: Final = {
    **dict.fromkeys(("ash", "dash", "ksh", "mksh", "bats", "sh", "bash", "zsh", "shell-script"), "bash"),
    **dict.fromkeys(("node", "nodejs", "bun", "js", "js2", "js3"), "javascript"),
    **dict.fromkeys(("deno", "ts-node", "tsx", "ts"), "typescript"),
    **dict.fromkeys(("pypy", "py", "python", "sage"), "python"),
    **dict.fromkeys(("tclsh", "wish", "expect"), "tcl"),
    **dict.fromkeys(("luajit", "texlua"), "lua"),
    **dict.fromkeys(("runhaskell", "runghc", "hs"), "haskell"),
    **dict.fromkeys(("pwsh", "ps1"), "powershell"),
    **dict.fromkeys(("jruby", "rake", "enh-ruby"), "ruby"),
    **dict.fromkeys(("cperl", "perl6"), "perl"),
    **dict.fromkeys(("conf", "dosini"), "ini"),
    **dict.fromkeys(("gmake", "make", "makefile-gmake"), "make"),
    "c++": "cpp",
    "cs": "csharp",
    "elisp": "lisp",
    "escript": "erlang",
    "rscript": "r",
    "verilog_systemverilog": "systemverilog",
}
"""Interpreters without their version, and names that editors have for languages, beyond those of ``table``."""


def language_name(text: str) -> str:
    """Return what a file calls its language in its first line, or in a line for an editor; "" if it says nothing.

    :returns: a name in small letters, one of ``NAMES`` or as editors call languages.
    """
    head = text[:CHARACTERS].splitlines()[:LINES]
    runs = _RUNS.match(head[0].removeprefix("\ufeff")) if head else None
    if runs is not None:
        words = (word for word in runs[1].split() if not _PASSED_ON.match(word))
        name = next(words, "").rpartition("/")[2].lower()
        return _known(_VERSION.sub("", name) or name)
    for line in head[:2]:
        found = _EMACS.search(line)
        if found is not None:
            return _known(found[1].lower())
    tail = text[-CHARACTERS:].splitlines()[-LINES:]
    return next((_known(found[1].lower()) for line in (*head, *tail) if (found := _VIM.search(line))), "")


def _known(name: str) -> str:
    return NAMES.get(name, name)
