"""The command ``ondol search``: definitions of the words that were asked for first, then the other chunks."""

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indexer.cli_options import PathName, data_dir_option, settings_for
from indexer.repository.git import find_root
from indexer.text.printable import printable

if TYPE_CHECKING:
    from indexer.types import Hit

_LINES: Final = 10
_FURTHER_LINES: Final = 1
"""Lines that are shown of the first chunk and of each further one: five chunks fit a screen of 24 lines."""

_COLUMNS: Final = 100
_INDENT: Final = "    "
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@click.command(epilog='Example: ondol search "open a socket with a timeout" --limit 3')
@click.argument("text")
@click.option("--repo", type=PathName(), default=Path(), help="The repository (default: around here).")
@click.option("--limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="Chunks to show.")
@click.option("--full", is_flag=True, help="Show ten lines of each chunk, and long lines whole.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
@data_dir_option
def search(text: str, repo: Path, limit: int, full: bool, as_json: bool, data_dir: Path | None) -> None:
    """Show the chunks of the index that match TEXT best. If TEXT is a name, its definition comes first.

    The best one is shown with ten lines, the others with the line that matters most.
    """
    from indexer.data_layout import index_directory
    from indexer.search.lookup import look_up
    from indexer.storage.reader import Index

    root = find_root(repo)
    settings = settings_for(root, data_dir)
    opened = Index.open(index_directory(settings, root), settings)
    if opened.problem:
        click.echo(f"ondol: {printable(opened.problem)}", err=True)
    words = frozenset(_IDENTIFIER.findall(text))
    hits = look_up(opened, text, limit)
    if as_json:
        click.echo(json.dumps([_row(hit, defined) for hit, defined in hits]))
        return
    if not hits:
        click.echo("nothing found")
        return
    colour = False if os.environ.get("NO_COLOR") else None
    for number, (hit, defined) in enumerate(hits):
        most = _LINES if full or number == 0 else _FURTHER_LINES
        for line in _shown(hit, defined, words, most, cut=not full):
            click.echo(line, color=colour)


def _row(hit: "Hit", defined: int | None) -> dict[str, Any]:
    return {
        "path": hit.chunk.path,
        "line": hit.chunk.start_line + 1,
        "end_line": hit.chunk.end_line,
        "definition": None if defined is None else defined + 1,
        "score": round(hit.score, 6),
        "parts": hit.parts,
        "header": hit.chunk.header,
        "text": hit.chunk.text,
    }


def _shown(hit: "Hit", defined: int | None, words: frozenset[str], most: int, *, cut: bool) -> Iterator[str]:
    """The path of a hit and the lines of it that matter, with the words that were asked for in bold.

    :param most: lines that are shown. :param cut: whether a line ends where the screen does.
    """
    lines = hit.chunk.text.splitlines()
    first = _first_line(lines, words, most) if defined is None else defined - hit.chunk.start_line
    first = max(0, min(first, len(lines) - most))
    path = click.style(printable(hit.chunk.path), bold=True)
    if defined is None:
        yield f"{path}:{hit.chunk.start_line + first + 1}"
    else:
        yield f"{path}:{defined + 1}{click.style('  defined here', fg='green')}"
    asked = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b" if words else r"$^", re.I)
    for line in lines[first : first + most]:
        shown = "\t".join(printable(part) for part in line.split("\t"))
        shown = _fitting(shown) if cut else shown
        yield _INDENT + asked.sub(lambda found: click.style(found[0], bold=True, fg="yellow"), shown)
    if len(lines) > most > 1:
        more = f"{len(lines) - most} more of lines {hit.chunk.start_line + 1} to {hit.chunk.end_line}"
        yield click.style(f"{_INDENT}… {more}", dim=True)


def _fitting(line: str) -> str:
    """A line as far as it fits the screen behind the indent; tabs and wide characters take their columns."""
    room = max(shutil.get_terminal_size((_COLUMNS, 24)).columns - len(_INDENT), 20)
    if len(line) * 8 <= room:
        return line
    column = 0
    for place, character in enumerate(line):
        tab = 8 - (column + len(_INDENT)) % 8
        column += tab if character == "\t" else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if column > room - 1 and place < len(line) - 1:
            return f"{line[:place]}…"
    return line


def _first_line(lines: list[str], words: frozenset[str], most: int) -> int:
    """The line from which ``most`` lines hold the words most often; the first one among equals."""
    asked = {word.casefold() for word in words}
    counts = [sum(word.casefold() in asked for word in _IDENTIFIER.findall(line)) for line in lines]
    sums = [sum(counts[start : start + most]) for start in range(max(1, len(lines) - most + 1))]
    return sums.index(max(sums)) if sums else 0
