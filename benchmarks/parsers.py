"""Parsers of other projects, as judges that share nothing with Ondol: each says whether a text parses in its language.

Only their syntax counts: messages about names, types and missing headers are passed over. Nothing is installed; a
language whose parser is not on this machine is not judged.
"""

import ast
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_C_SYNTAX = re.compile(
    r"error: (?:expected (?!.* type\b)|stray |missing terminating|unterminated|.*without a previous|#|"
    r"a function-definition is not allowed|break statement not|continue statement not|case label)"
)
"""Messages of gcc that are about syntax."""

_OUTSIDE = re.compile("UnknownDirective|CouldNotOpenIncludeFile")
"""What slang says of macros and files that it has not."""

_JAVA_SYNTAX = re.compile(
    r"compiler\.err\.(?:expected\d?|premature\.eof|illegal\.(?:start|char)|not\.stmt|orphaned|else\.without|catch\.without|"
    r"finally\.without|try\.without|unclosed|class\.public|invalid\.meth|variable\.not\.allowed|class\.not\.allowed)"
)


def _python(text: str, path: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(text)
        except (SyntaxError, ValueError):
            return False
    return True


def _script(text: str, path: str) -> bool:
    return _said(["esbuild", f"--loader={'tsx' if path.endswith(('x', 'js')) else 'ts'}"], text)[0] == 0


def _java(text: str, path: str) -> bool:
    command = ["javac", "-XDrawDiagnostics", "-proc:none", "-XDshould-stop.ifNoError=PARSE", "-Xmaxerrs", "9"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(path).name
        file.write_text(text, "utf-8")
        return not _JAVA_SYNTAX.search("".join(_said([*command, str(file)])[1:]))


def _c(language: str) -> Callable[[str, str], bool]:
    def parses(text: str, path: str) -> bool:
        command = ["gcc", "-fsyntax-only", "-w", "-fmax-errors=0", "-x", language, "-"]
        return not _C_SYNTAX.search(_said(command, text)[2])

    return parses


def _rust(text: str, path: str) -> bool:
    command = ["env", "RUSTC_BOOTSTRAP=1", "rustc", "-Zunpretty=normal", "--edition", "2021", "-"]
    # What has a number is about names, such as those of other files.
    return not re.search(r"^error: (?!aborting)", _said(command, text)[2], re.MULTILINE)


def _systemverilog(text: str, path: str) -> bool:
    slang = import_module("pyslang")
    tree = slang.syntax.SyntaxTree.fromText(text)
    return not any(one.isError() and not _OUTSIDE.search(str(one.code)) for one in tree.diagnostics)


def _program(*command: str) -> Callable[[str, str], bool]:
    """Return a judge that asks a program, which says no by its exit status."""
    return lambda text, path: _said(command, text)[0] == 0


def _said(command: Sequence[str], text: str = "") -> tuple[int, str, str]:
    """Return the exit status of a program, and what it prints."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, errors="replace")
    return done.returncode, done.stdout, done.stderr


_JUDGES: Final[dict[str, tuple[str, Callable[[str, str], bool]]]] = {
    "python": ("python3", _python),
    **dict.fromkeys(("javascript", "typescript", "tsx"), ("esbuild", _script)),
    "java": ("javac", _java),
    "c": ("gcc", _c("c")),
    "cpp": ("g++", _c("c++")),
    "go": ("gofmt", _program("gofmt", "-e")),
    "rust": ("rustc", _rust),
    "ruby": ("ruby", _program("ruby", "-c", "-")),
    "php": ("php", _program("php", "-l")),
    "bash": ("bash", _program("bash", "-n")),
    "systemverilog": ("pyslang", _systemverilog),
}
"""Language -> the program or package that has to be there, and its judge of a text and the path of its document."""


@cache
def judge_of(language: str) -> Callable[[str, str], bool] | None:
    """Return what says whether a text of a language parses; None where this machine has no such parser."""
    needed, parses = _JUDGES.get(language, ("", _python))
    return parses if needed and (shutil.which(needed) or find_spec(needed)) else None
