"""The commands ``serve``, ``complete``, ``explain``, ``stats`` and ``demo``.

This module prints. What it prints about is made elsewhere, and is imported only when a command needs it, so that the
server starts with nothing on board that it does not use.
"""

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from indexer.cli_options import data_dir_option, printable, settings_for
from indexer.errors import IndexMissing, UserError

if TYPE_CHECKING:
    from indexer.config import Settings
    from lsp_server.types import Answer, Document

_BACKENDS = click.Choice(["retrieval", "local", "remote"])
_AGO = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@click.command(epilog="Example: ondol serve --stdio")
@click.option("--stdio", is_flag=True, help="Speak on standard input and output (the only way, and the default).")
@click.option("--backend", type=_BACKENDS, help="What writes suggestions, over what the settings say.")
@click.option("--base", metavar="FOLDER", help="The base model's folder, over what the settings say.")
@data_dir_option
def serve(stdio: bool, backend: str | None, base: str | None, data_dir: Path | None) -> None:
    """Run the language server for an editor."""
    import gc

    gc.disable()  # most of the start is the making of the protocol's 900 classes, all of which stay
    from lsp_server.server.main import serve as run

    gc.freeze()
    gc.enable()
    if sys.stdin.isatty():
        click.echo("ondol: this speaks the language server protocol; editors start it by themselves.", err=True)
    overrides: dict[str, Any] = {}
    if backend is not None:
        overrides["backend"] = backend
    if base is not None:
        overrides["base_model"] = _base(base)
    if data_dir is not None:
        overrides["data_dir"] = str(data_dir.expanduser().absolute())
    run(overrides)


@click.command(epilog="Example: ondol complete src/server.py:120:9")
@click.argument("place", metavar="FILE:LINE[:COL]")
@click.option("--automatic", is_flag=True, help="Only what would be shown unasked.")
@click.option("--backend", type=_BACKENDS, help="What writes suggestions, over what the settings say.")
@click.option("--base", metavar="FOLDER", help="The base model's folder, over what the settings say.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@data_dir_option
def complete(
    place: str, automatic: bool, backend: str | None, base: str | None, as_json: bool, data_dir: Path | None
) -> None:
    """Show the completion at a place in a file, by the engine that serves editors.

    LINE and COL count from 1; without COL it is the end of the line.
    """
    from indexer.repository import git
    from lsp_server.server.documents import Text

    path, line, column = _place(place)
    root = git.find_root(path)
    settings = settings_for(root, data_dir, quiet=as_json)
    if backend is not None:
        settings = replace(settings, backend=backend)
    if base is not None:
        settings = replace(settings, base_model=_base(base))
    document = _read(root, path, settings)
    buffer = Text(document.text, "utf-32")
    if line > len(buffer.lines):
        raise UserError(f"{place}: the file has {len(buffer.lines)} lines", "name one of them")
    before = buffer.lines[line - 1].rstrip("\r\n")
    if column is not None and column > len(before) + 1:
        raise UserError(f"{place}: line {line} has {len(before)} characters", "name a column up to one past its end")
    offset = buffer.offset(line - 1, len(before) if column is None else column - 1)
    answer, milliseconds = _ask(root, settings, document, offset, automatic)
    typed = before[: offset - buffer.offset(line - 1, 0)]
    if as_json:
        click.echo(json.dumps(_as_json(answer, document.text, offset, milliseconds)))
        return
    from lsp_server.commands.terminal import has_colour, show

    for suggestion in answer.suggestions[: 1 if automatic else 3]:
        click.echo(show(typed, suggestion.text[offset - suggestion.start :], colour=has_colour()))
        source = ", ".join(f"{printable(p.path)}:{p.line} ({p.kind})" for p in suggestion.provenance[:3])
        by = str(answer.trace.get("model", "model")) if suggestion.engine == "model" else suggestion.engine
        said = f"  {suggestion.probability:.0%} likely, by {by}, {milliseconds:.1f} ms"
        click.echo(said + (f", from {source}" if source else ""))
    if not answer.suggestions:
        click.echo(f"nothing: {answer.reason.sentence}", err=True)


def _read(root: Path, path: Path, settings: "Settings") -> "Document":
    """The file as an editor would open it, secrets and all; a file that policy keeps out is refused."""
    from indexer.languages import grammars
    from indexer.repository import walk
    from indexer.repository.encodings import decode
    from lsp_server.server.workspace import private_reasons
    from lsp_server.types import Document

    resolved = path.resolve()
    relative = resolved.relative_to(root).as_posix()
    reason = walk.excluded(root, relative, settings)
    reason = reason if reason in private_reasons() else None
    data = resolved.read_bytes()
    if reason is None and len(data) > settings.max_file_bytes:
        reason = "too large"
    if reason is not None:
        raise UserError(f"{path} is left out ({reason})", "change the setting that leaves it out, or name another file")
    return Document(resolved.as_uri(), relative, grammars.language_of(relative), 1, decode(data)[0])


def _ask(root: Path, settings: "Settings", document: Any, offset: int, automatic: bool) -> "tuple[Answer, float]":
    from lsp_server.server.factories import make_engine, open_index
    from lsp_server.types import Request

    try:
        index = open_index(settings, root)
    except IndexMissing as error:
        click.echo(f"ondol: {error.what}, so only this file is used; {error.cure}.", err=True)
        index = None
    engine = make_engine(settings, index)
    if settings.backend != "retrieval":
        engine = _beside_model(settings, root, engine, index)
    engine.update(document)
    request = Request(document, offset, automatic)
    engine.complete(request, lambda: False)  # what is read for the first time is not counted
    began = time.perf_counter()
    answer = engine.complete(request, lambda: False)
    return answer, 1000 * (time.perf_counter() - began)


def _base(base: str) -> str:
    """A folder as an absolute path, since the server may stand elsewhere; a public model's name as it is."""
    path = Path(base).expanduser()
    return str(path.absolute()) if path.exists() else base


def _beside_model(settings: "Settings", root: Path, engine: Any, index: Any) -> Any:
    """The engine with its model, once that is loaded. There is no keystroke to wait for, so it has all the time."""
    from lsp_server.server.factories import ModelFactory

    told: list[str] = []
    both: Any = ModelFactory()(replace(settings, deadline_ms=60_000), root, engine, index, told.append)
    both.runner.loaded()
    for message in told:
        click.echo(f"ondol: {message}", err=True)
    return both


def _as_json(answer: "Answer", text: str, offset: int, milliseconds: float) -> dict[str, Any]:
    return {
        "reason": answer.reason,
        "ms": round(milliseconds, 2),
        "suggestions": [
            {
                "text": s.text,
                "replaces": text[s.start : s.end],
                "typed": text[s.start : offset],
                "grey": s.text[offset - s.start :],
                "probability": s.probability,
                "engine": s.engine,
                "provenance": [{"path": p.path, "line": p.line, "kind": p.kind} for p in s.provenance],
            }
            for s in answer.suggestions
        ],
    }


def _place(place: str) -> tuple[Path, int, int | None]:
    match = re.fullmatch(r"(.+?):(\d{1,9})(?::(\d{1,9}))?", place)
    if match is None or int(match[2]) < 1 or match[3] == "0":
        raise UserError(f"{place!r} is not a place", "write it as FILE:LINE or FILE:LINE:COL, counted from 1")
    path = Path(match[1])
    if not path.is_file():
        raise UserError(f"there is no file {path}", "name an existing file before the line number")
    return path, int(match[2]), int(match[3]) if match[3] else None


@click.command(epilog="Example: ondol explain last")
@click.argument("identifier", metavar="[ID|last]", default="last")
@click.option("--repo", type=click.Path(path_type=Path), default=Path(), help="The repository (default: around here).")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@data_dir_option
def explain(identifier: str, repo: Path, as_json: bool, data_dir: Path | None) -> None:
    """Say why a completion was shown, or was not."""
    from indexer.data_layout import TRACES
    from lsp_server.telemetry.traces import explain as sentences
    from lsp_server.telemetry.traces import find

    record = find(_records(repo, data_dir, TRACES, quiet=as_json), identifier)
    if record is None:
        if identifier == "last":
            raise UserError("no completion was asked for in this repository yet", "type in an editor that runs Ondol")
        raise UserError(
            f"there is no record {identifier}", "ask for `last`, or for an id that `ondol explain` has shown"
        )
    click.echo(json.dumps(record) if as_json else "\n".join(printable(line) for line in sentences(record)))


@click.command(epilog="Example: ondol stats --since 7d")
@click.option("--since", help="Count from here on: an age such as 12h, 7d or 4w, or a date such as 2026-11-01.")
@click.option("--repo", type=click.Path(path_type=Path), default=Path(), help="The repository (default: around here).")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@data_dir_option
def stats(since: str | None, repo: Path, as_json: bool, data_dir: Path | None) -> None:
    """Show what was shown, accepted and kept, by language, engine and adapter."""
    from indexer.data_layout import STATS
    from lsp_server.telemetry.feedback import summarize

    rows = summarize(_records(repo, data_dir, STATS, quiet=as_json), _since(since))
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("nothing was shown yet")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "language",
        "engine",
        "adapter",
        "shown",
        "accepted",
        "share",
        "in part",
        "characters",
        "kept 30 s",
        "kept 5 min",
        box=None,
    )
    for row in rows:
        cells = [row[key] for key in ("language", "engine", "adapter", "shown", "accepted")]
        cells += [_percent(row["accepted_share"]), row["partial"], row["characters"]]
        cells += [_percent(row["kept_30"]), _percent(row["kept_300"])]
        table.add_row(*map(str, cells))
    Console(width=max(100, Console().width)).print(table)


def _records(repo: Path, data_dir: Path | None, name: str, *, quiet: bool) -> list[dict[str, Any]]:
    from indexer.repository import git
    from lsp_server.telemetry.traces import ring_of

    root = git.find_root(repo)
    ring = ring_of(settings_for(root, data_dir, quiet=quiet), root, name, 0)
    return ring.read() if ring is not None else []


def _since(text: str | None) -> float:
    if text is None:
        return 0.0
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if match:
        return time.time() - int(match[1]) * _AGO[match[2]]
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d"))
    except ValueError as error:
        raise UserError(f"{text!r} is no point in time", "write an age (12h, 7d, 4w) or a date (2026-11-01)") from error


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"
