"""The commands ``serve`` and ``complete``.

Everything heavy is imported when a command needs it, so that the server starts quickly.
"""

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from indexer import fsio
from indexer.cli_options import data_dir_option, settings_for
from indexer.errors import IndexMissing, UserError
from indexer.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from indexer.config import Settings
    from lsp_server.model.hybrid_engine import HybridEngine
    from lsp_server.types import Answer, Document, Engine

_BACKENDS = click.Choice(["retrieval", "local", "remote"])


@click.command(epilog="Example: ondol serve --stdio")
@click.option("--stdio", is_flag=True, help="Use standard input and output (the default, and the only way).")
@click.option("--backend", type=_BACKENDS, help="What writes suggestions; overrides the settings.")
@click.option("--base", metavar="PATH", help="The base model, a GGUF file or a folder; overrides the settings.")
@click.option("--share/--no-share", default=None, help="Share one engine with the user's other windows, or do not.")
@click.option("--engine", type=click.Path(path_type=Path), hidden=True)
@data_dir_option
def serve(
    stdio: bool, backend: str | None, base: str | None, share: bool | None, engine: Path | None, data_dir: Path | None
) -> None:
    """Run the language server for an editor."""
    given = {"backend": backend, "base_model": _base(base) if base is not None else None}
    given["data_dir"] = str(data_dir.expanduser().absolute()) if data_dir is not None else None
    overrides: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if engine is None and sys.stdin.isatty():
        click.echo("ondol: this is a language server on standard input; editors start it automatically.", err=True)
    alone = _attached(overrides, share) if engine is None else ""
    import gc

    gc.disable()  # most of the start makes the protocol's 900 classes; what that leaves is freed in a pause
    if engine is not None:
        from lsp_server.relay.shared_engine import run_engine

        gc.freeze()
        gc.enable()
        run_engine(engine, overrides)
    from lsp_server.server.main import serve as run

    gc.freeze()
    gc.enable()
    run(overrides, note=alone)


def _attached(overrides: "Mapping[str, Any]", share: bool | None) -> str:
    """Serve the editor through the engine that its user's windows share; returns only where the process serves alone.

    :param share: the option of the command line; None for the setting.
    :returns: why no engine could be shared, for the user; nothing where none was wanted.
    """
    from indexer import config

    if not (config.load(None, init_options=overrides)[0].share_engine if share is None else share):
        return ""
    from lsp_server.relay import attaching, meeting, window_process
    from lsp_server.server.index_process import console_script

    names = {"backend": "--backend", "base_model": "--base", "data_dir": "--data-dir"}
    arguments = [part for name, value in overrides.items() for part in (names[name], str(value))]
    try:
        place = meeting.meeting(overrides)
        command = [*console_script(), "serve", *arguments, "--engine", str(place.socket)]
        first = attaching.attach(place, command)
    except UserError as error:
        return f"Ondol: {error}"
    try:
        window_process.become_window(first, place, command)
    except OSError as error:
        first.close()
        return (
            f"Ondol: this window has an engine of its own, since no process that shares one could be started: {error}"
        )


@click.command(epilog="Example: ondol complete src/server.py:120:9")
@click.argument("place", metavar="FILE:LINE[:COL]")
@click.option("--automatic", is_flag=True, help="Only what would be shown automatically.")
@click.option("--backend", type=_BACKENDS, help="What writes suggestions; overrides the settings.")
@click.option("--base", metavar="PATH", help="The base model, a GGUF file or a folder; overrides the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@data_dir_option
def complete(
    place: str, automatic: bool, backend: str | None, base: str | None, as_json: bool, data_dir: Path | None
) -> None:
    """Show the completion at a position in a file, by the engine that editors use.

    LINE and COL count from 1; without COL the position is the end of the line.
    """
    from indexer.repository import git
    from lsp_server.server.text_buffer import Text

    path, line, column = _place(place)
    root = git.find_root(path)
    settings = settings_for(root, data_dir, quiet=as_json)
    if backend is not None:
        settings = replace(settings, backend=backend)
    if base is not None:
        settings = replace(settings, base_model=_base(base))
    document = read_document(root, path, settings)
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
    from lsp_server.reasons import verdict

    for suggestion in answer.suggestions[: 1 if automatic else 3]:
        click.echo(show(typed, suggestion.text[offset - suggestion.start :], colour=has_colour()))
        source = ", ".join(f"{printable(p.path)}:{p.line} ({p.kind})" for p in suggestion.provenance[:3])
        by = printable(answer.trace.get("model", "model")) if suggestion.engine == "model" else suggestion.engine
        said = f"  {suggestion.probability:.0%} likely, by {by}, {milliseconds:.1f} ms"
        click.echo(said + (f", from {source}" if source else ""))
    if not answer.suggestions:
        click.echo(f"nothing: {verdict(answer.reason, answer.trace)}", err=True)


def read_document(root: Path, path: Path, settings: "Settings") -> "Document":
    """Read the file as an editor would open it, secrets included.

    :raises UserError: the policy excludes it, or it is no file. :raises ValueError: it is not in the repository.
    """
    from indexer.languages import grammars
    from indexer.repository import policy, walk
    from indexer.repository.encodings import decode
    from lsp_server.server.document_owner import private_reasons
    from lsp_server.types import Document

    resolved = fsio.real_path(path)
    relative = resolved.relative_to(root).as_posix()
    if not resolved.is_file():
        raise UserError(f"there is no file {path}", "name an existing one")
    reason = walk.excluded(root, relative, settings)
    reason = reason if reason in (*private_reasons(), policy.BAD_PATH) else None
    if reason is None and resolved.stat().st_size > settings.max_file_bytes:
        reason = policy.TOO_LARGE
    if reason is not None:
        raise UserError(f"{path} is left out ({reason})", "change the setting that leaves it out, or name another file")
    text = decode(resolved.read_bytes())[0]
    return Document(resolved.as_uri(), relative, grammars.language_of_text(relative, text), 1, text)


def _ask(root: Path, settings: "Settings", document: Any, offset: int, automatic: bool) -> "tuple[Answer, float]":
    from lsp_server.server.factories import make_engine, open_index
    from lsp_server.server.masked_documents import SecretCover
    from lsp_server.server.other_repositories import guests, joined
    from lsp_server.types import Request, settled

    try:
        index = open_index(settings, root)
    except IndexMissing as error:
        click.echo(f"ondol: {printable(error.what)}, so only this file is used; {error.cure}.", err=True)
        index = None
    found, problems = guests(settings, root, open_index)
    for problem in problems:
        click.echo(f"ondol: {printable(problem)}", err=True)
    index = joined(index, found)
    engine = make_engine(settings, index)
    if settings.backend != "retrieval":
        engine = _with_model(settings, root, engine, index)
    document = SecretCover().document(document)
    engine.update(document)
    request = Request(document, offset, automatic)
    settled(engine.complete(request, lambda: False))  # the first call reads files, which is not measured
    began = time.perf_counter()
    answer = settled(engine.complete(request, lambda: False))
    return answer, 1000 * (time.perf_counter() - began)


def _base(base: str) -> str:
    """A path as an absolute one, since the server may have another working directory; a model's name unchanged."""
    path = Path(base).expanduser()
    return str(path.absolute()) if base and path.exists() else base


def _with_model(settings: "Settings", root: Path, engine: Any, index: Any) -> Any:
    """The engine with its model, after the model is loaded; without, and a sentence, if it cannot be loaded."""
    from lsp_server.errors import BackendProblem

    problems: list[str] = []
    try:
        both = loaded_with_model(settings, root, engine, index, problems.append)
    except BackendProblem as error:
        problems[:] = [f"{error.what}, so retrieval answers alone; {error.cure}."]
        both = engine
    for message in problems:
        click.echo(f"ondol: {printable(message)}", err=True)
    return both


def loaded_with_model(
    settings: "Settings", root: Path, engine: "Engine", index: Any, report: "Callable[[str], None]"
) -> "HybridEngine":
    """Return the engine with its model once that is loaded. Its deadline is a minute: nobody types meanwhile.

    :param report: called with each problem that does not keep the model from writing.
    :raises BackendProblem: the model cannot be loaded.
    """
    from lsp_server.server.factories import ModelFactory

    both = cast("HybridEngine", ModelFactory()(replace(settings, deadline_ms=60_000), root, engine, index, report))
    both.runner.loaded()
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
                "ghost_text": s.text[offset - s.start :],
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
        raise UserError(f"{place!r} is not a position", "write it as FILE:LINE or FILE:LINE:COL, counted from 1")
    path = Path(match[1])
    if not path.is_file():
        raise UserError(f"there is no file {path}", "name an existing file before the line number")
    return path, int(match[2]), int(match[3]) if match[3] else None
