"""The command ``ondol search``: definitions of the words that were asked for first, then the other chunks."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from indexer.cli_options import data_dir_option, settings_for
from indexer.repository.git import find_root
from indexer.text.printable import printable

if TYPE_CHECKING:
    from indexer.types import Hit

_LINES: Final = 10
"""Lines of one chunk that are shown."""
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@click.command(epilog='Example: ondol search "open a socket with a timeout" --limit 3')
@click.argument("text")
@click.option("--repo", type=click.Path(path_type=Path), default=Path(), help="The repository (default: around here).")
@click.option("--limit", type=click.IntRange(1, 1000), default=5, show_default=True, help="Chunks to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the hits as JSON.")
@data_dir_option
def search(text: str, repo: Path, limit: int, as_json: bool, data_dir: Path | None) -> None:
    """Show the chunks of the index that match TEXT best. If TEXT is a name, its definition comes first."""
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
    for hit, defined in hits:
        for line in _shown(hit, defined, words):
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


def _shown(hit: "Hit", defined: int | None, words: frozenset[str]) -> Iterator[str]:
    """The path of a hit and the lines of it that matter, with the words that were asked for in bold."""
    lines = hit.chunk.text.splitlines()
    first = _first_line(lines, words) if defined is None else defined - hit.chunk.start_line
    first = max(0, min(first, len(lines) - _LINES))
    path = click.style(printable(hit.chunk.path), bold=True)
    if defined is None:
        yield f"{path}:{hit.chunk.start_line + first + 1}"
    else:
        yield f"{path}:{defined + 1}{click.style('  defined here', fg='green')}"
    asked = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b" if words else r"$^", re.I)
    for line in lines[first : first + _LINES]:
        shown = "\t".join(printable(part) for part in line.split("\t"))
        yield "    " + asked.sub(lambda found: click.style(found[0], bold=True, fg="yellow"), shown)
    if len(lines) > _LINES:
        more = f"{len(lines) - _LINES} more of lines {hit.chunk.start_line + 1} to {hit.chunk.end_line}"
        yield click.style(f"    … {more}", dim=True)


def _first_line(lines: list[str], words: frozenset[str]) -> int:
    """The line from which ten lines hold the words most often; the first one among equals."""
    asked = {word.casefold() for word in words}
    counts = [sum(word.casefold() in asked for word in _IDENTIFIER.findall(line)) for line in lines]
    sums = [sum(counts[start : start + _LINES]) for start in range(max(1, len(lines) - _LINES + 1))]
    return sums.index(max(sums)) if sums else 0
