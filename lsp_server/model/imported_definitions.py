"""Finds the definitions of imported names that are used near the cursor.

Import lines are read by their shape, without a parser for each language: a module is a dotted name or a quoted path,
and its file is one whose path ends in it. This module knows documents by path and text only.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_IMPORT_LINE = re.compile(
    r"^[ \t]*(?:from|import|use|using|#[ \t]*include|require|`include|const|package)\b[^\n]*", re.M
)
_PARENTHESES = re.compile(r"\([^)]{0,2000}\)?|\{[^}]{0,2000}\}?")
_QUOTED = re.compile(r"[\"'<]([\w./@-]+)[\"'>]")
_DOTTED = re.compile(r"[A-Za-z_][\w]*(?:(?:\.|::)[A-Za-z_]\w*)*")
_NAME = re.compile(r"[A-Za-z_]\w*")
_KEYWORDS = frozenset(
    (
        "from",
        "import",
        "as",
        "use",
        "using",
        "static",
        "const",
        "let",
        "var",
        "type",
        "require",
        "include",
        "package",
        "public",
        "default",
        "mod",
        "crate",
        "self",
        "super",
        "extern",
        "pub",
    )
)
_BEFORE = (
    "export|default|public|private|protected|internal|static|final|abstract|async|virtual|inline|pub|open|automatic"
)
_KINDS = (
    "def|class|func|fn|function|interface|type|struct|enum|trait|module|object|record|task|typedef|const|let|var|val"
)
_DEFINITION = (
    rf"^[ \t]*(?:(?:{_BEFORE})[ \t]+)*(?:{_KINDS})[ \t]+(?:\([^)\n]*\)[ \t]*)?(?:automatic[ \t]+)?(?P<name>NAMES)\b"
)
_IMPORT_LINES_READ = 60
_LINES_SHOWN = 6
_MOST = 4  # definitions


@dataclass(frozen=True, slots=True)
class Imported:
    """One import: the components of the module's path, and the imported names (or the module's own name)."""

    module: tuple[str, ...]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Definition:
    """The first lines of a definition; ``line`` counts from 0."""

    path: str
    line: int
    text: str


def imports_of(text: str) -> list[Imported]:
    """Return the imports of a file, in order."""
    out = []
    for match in list(_IMPORT_LINE.finditer(text))[:_IMPORT_LINES_READ]:
        line = match.group(0)
        if line.count("(") > line.count(")") or line.count("{") > line.count("}"):
            more = _PARENTHESES.search(text, match.start())
            line = text[match.start() : more.end()] if more else line
        quoted = _QUOTED.findall(line)
        words = [w for w in _DOTTED.findall(_QUOTED.sub(" ", line)) if w not in _KEYWORDS]
        modules = quoted or words[:1]
        names = frozenset(n for w in (words if quoted else words[1:]) for n in _NAME.findall(w))
        for module in modules:
            parts = tuple(p for p in re.split(r"[/.]|::", module) if p and p not in ("@", "~"))
            if parts:
                out.append(Imported(parts, names or frozenset(parts[-1:])))
    return out


class Modules:
    """The paths of a repository by the module names that imports use for them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._by_stem: dict[str, list[tuple[str, ...]]] = {}
        self._paths: dict[tuple[str, ...], str] = {}
        for path in paths:
            folders, _, name = path.rpartition("/")
            stem = name.split(".")[0]
            parts = (*(folders.split("/") if folders else ()), stem)
            if stem in ("__init__", "index", "mod", "lib") and len(parts) > 1:
                parts = parts[:-1]
            self._by_stem.setdefault(parts[-1], []).append(parts)
            self._paths.setdefault(parts, path)

    def find(self, module: Sequence[str], near: str) -> str | None:
        """Return the file of a module: the one whose path ends most like it, and of these the nearest to ``near``."""
        best: tuple[int, int, str] | None = None
        for at in (len(module) - 1, len(module) - 2):  # the last component may be a name inside the module
            if at < 0 or best is not None:
                continue
            for parts in self._by_stem.get(module[at], ()):
                agreed = _common(parts[::-1], tuple(module[: at + 1])[::-1])
                path = self._paths[parts]
                rank = (agreed, _common(path.split("/"), near.split("/")), path)
                if path != near and (best is None or rank[:2] > best[:2]):
                    best = rank
        return best[2] if best else None


def definitions(
    text: str, around: str, path: str, modules: Modules, read: Callable[[str], str | None]
) -> list[Definition]:
    """Return definitions in other files of names that ``text`` imports and ``around`` uses.

    :param around: the code near the cursor. :param path: of the file that imports. :param read: gives a file's text.
    """
    used = set(_NAME.findall(around))
    out: list[Definition] = []
    for imported in imports_of(text):
        wanted = imported.names & used
        if not wanted:
            continue
        found = modules.find(imported.module, path)
        source = read(found) if found else None
        if found is None or source is None:
            continue
        pattern = _DEFINITION.replace("NAMES", "|".join(map(re.escape, sorted(wanted))))
        for match in re.finditer(pattern, source, re.M):
            line = source.count("\n", 0, match.start("name"))
            shown = source.split("\n")[line : line + _LINES_SHOWN]
            out.append(Definition(found, line, "\n".join(shown) + "\n"))
            if len(out) >= _MOST:
                return out
    return out


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
