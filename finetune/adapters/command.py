"""The commands ``ondol models``: list, show, promote, roll back, delete and export adapter versions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from finetune.adapters.overview import row_of
from indexer.cli_options import PathName, data_dir_option, settings_for
from indexer.errors import OndolError, UserError
from indexer.text.printable import printable

if TYPE_CHECKING:
    from indexer.config import Settings
    from lsp_server.weights.base_model import ModelFolder

_NUMBERS = frozenset({"version", "commits", "samples", "exact"})
_KINDS = click.Choice(["safetensors", "f16", "q8_0", "q4_k_m"])


def _version_number(value: str) -> int:
    """Read the number of a version; anything else is said with its cure."""
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise click.BadParameter(f"{printable(value)!r} is no number of a version; `ondol models list` shows them.")
    return int(value)


class Repository:
    """A repository with its settings and its adapter registry."""

    def __init__(self, repo: Path, data_dir: Path | None, base: str | None = None, *, quiet: bool = False) -> None:
        from indexer.data_layout import registry_directory
        from indexer.repository import git

        self.root = git.find_root(repo)
        self.settings: Settings = settings_for(self.root, data_dir, quiet=quiet)
        self.registry = registry_directory(self.settings, self.root)
        self._base = base or self.settings.base_model

    def base(self) -> "ModelFolder":
        """Return the base model.

        :raises UserError: none is set, or it does not exist.
        """
        from lsp_server.backends.loading import open_base

        return open_base(self._base)

    def current(self) -> int | None:
        """Return the current version; of a damaged pointer the last one, with a sentence on standard error."""
        from lsp_server.weights import adapter_registry_writer

        number, problem = adapter_registry_writer.current(self.registry)
        if problem is not None:
            click.echo(f"ondol: {printable(problem)}", err=True)
        return number

    @property
    def has_base(self) -> bool:
        """Whether a base model is set."""
        return bool(self._base)


def _repo(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--repo`` and ``--data-dir``."""
    option = click.option(
        "--repo",
        type=PathName(),
        default=Path(),
        help="The repository (default: that of the working directory).",
    )
    return data_dir_option(option(command))


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_with_base = click.option(
    "--base", metavar="PATH", help="The base model, a GGUF file or a folder (default: base_model in ondol.toml)."
)


@click.group(epilog="Example: ondol models list")
def models() -> None:
    """Manage the adapters that `ondol finetune` has trained for a repository."""


@models.command("list", epilog="Example: ondol models list --repo ~/product")
@_json
@_repo
def list_versions(repo: Path, data_dir: Path | None, as_json: bool) -> None:
    """List the versions, the newest first.

    Each line shows a version's figures; * marks the current version.
    """
    from finetune.adapters.stale_data import stale_data
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir, quiet=as_json)
    found = adapter_registry_writer.versions(repository.registry)
    now = repository.current()
    stale = stale_data(repository.registry, repository.root, repository.settings, found)
    if as_json:
        click.echo(json.dumps({"current": now, "versions": [row_of(one, now, stale) for one in reversed(found)]}))
        return
    if not found:
        click.echo("no adapter yet; `ondol finetune` trains one")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in ("", "version", "made", "base", "commits", "samples", "exact", "over the base", ""):
        table.add_column(head, justify="right" if head in _NUMBERS else "left")
    for one in reversed(found):
        row = row_of(one, now, stale)
        table.add_row(
            "*" if row["current"] else "",
            str(one.number),
            (row["made"] or "")[:16].replace("T", " "),
            Text(printable(row["base"] or "")),
            _number(row["commits"]),
            _number(row["samples"]),
            "" if row["exact"] is None else f"{100 * row['exact']:.1f} %",
            row["gain"] or "",
            Text(printable("; ".join(filter(None, (row["problem"], row["verdict"], row["mark"]))))),
        )
    _console().print(table)


@models.command(epilog="Example: ondol models show 12")
@click.argument("version", type=_version_number)
@_json
@_repo
def show(version: int, repo: Path, data_dir: Path | None, as_json: bool) -> None:
    """Show all facts about a version."""
    from finetune.adapters.stale_data import stale_data
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir, quiet=as_json)
    found = adapter_registry_writer.version(repository.registry, version)
    now = repository.current()
    stale = stale_data(
        repository.registry, repository.root, repository.settings, adapter_registry_writer.versions(repository.registry)
    )
    events = [
        {"what": e.what, "at": e.at}
        for e in adapter_registry_writer.history(repository.registry)
        if e.version == version
    ]
    if as_json:
        click.echo(json.dumps({**row_of(found, now, stale), "history": events, "manifest": found.manifest}))
        return
    row = row_of(found, now, stale)
    click.echo(f"version {version}" + (" (current)" if row["current"] else ""))
    for key in ("problem", "mark", "verdict"):
        if row[key]:
            click.echo(f"  {printable(row[key])}")
    for event in events:
        click.echo(f"  {event['what']} {event['at']}")
    click.echo(json.dumps({key: found.manifest[key] for key in found.manifest if key != "version"}, indent=2))


@models.command(epilog="Example: ondol models promote 12")
@click.argument("version", type=_version_number)
@_with_base
@_repo
def promote(version: int, base: str | None, repo: Path, data_dir: Path | None) -> None:
    """Make a version the current one.

    Every byte of it is verified against the base first. Running servers load it within seconds.
    """
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir, base)
    adapter_registry_writer.promote(repository.registry, version, repository.base())
    click.echo(_current(version))


@models.command(epilog="Example: ondol models rollback")
@_with_base
@_repo
def rollback(base: str | None, repo: Path, data_dir: Path | None) -> None:
    """Make the previous version current again."""
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir, base)
    now = adapter_registry_writer.rollback(repository.registry)
    click.echo(_current(now))
    if now and repository.has_base:
        try:
            adapter_registry_writer.verify(repository.registry, now, repository.base())
        except OndolError as error:
            click.echo(f"ondol: {printable(error)}", err=True)


@models.command(epilog="Example: ondol models delete 3 4 5")
@click.argument("numbers", metavar="VERSION...", type=_version_number, nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also the current version; the previous one becomes current.")
@_repo
def delete(numbers: tuple[int, ...], force: bool, repo: Path, data_dir: Path | None) -> None:
    """Delete versions permanently."""
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir)
    before = repository.current()
    for number in numbers:
        now = adapter_registry_writer.delete(repository.registry, number, force=force)
        click.echo(f"version {number} is deleted" + (f"; {_current(now)}" if now != before else ""))
        before = now


@models.command(epilog="Example: ondol models export current ~/models/team --kind q4_k_m")
@click.argument("what", metavar="base|current|VERSION")
@click.argument("out", type=PathName())
@click.option("--kind", "kinds", multiple=True, type=_KINDS, help="File format; repeatable (default: q8_0, q4_k_m).")
@click.option("--adapter-only", is_flag=True, help="Write only the adapter, as a GGUF file for llama.cpp's --lora.")
@_with_base
@_json
@_repo
def export(
    what: str,
    out: Path,
    kinds: tuple[str, ...],
    adapter_only: bool,
    base: str | None,
    as_json: bool,
    repo: Path,
    data_dir: Path | None,
) -> None:
    """Write a model for other programs.

    OUT is a new folder for the base, or for the base with a version merged into it. GGUF files are checked against the
    original tokenizer and logits before the folder appears.
    """
    from finetune.adapters.export import export_adapter, export_gguf, export_safetensors
    from lsp_server.weights import adapter_registry_writer

    repository = Repository(repo, data_dir, base, quiet=as_json)
    folder = repository.base()
    number = _which(what, repository)
    adapter = adapter_registry_writer.verify(repository.registry, number, folder) if number else None
    chosen = tuple(dict.fromkeys(kinds)) or ("q8_0", "q4_k_m")
    if adapter_only:
        if adapter is None or kinds:
            raise click.UsageError("--adapter-only needs a version and takes no --kind")
        checked = export_adapter(folder, out, adapter)
    elif "safetensors" in chosen:
        if len(chosen) > 1:
            raise click.UsageError("safetensors and GGUF need separate folders; export twice")
        export_safetensors(folder, out, adapter)
        checked = []
    else:
        checked = export_gguf(folder, out, adapter, chosen)
    files = sorted((path.name, path.stat().st_size) for path in out.iterdir())
    if as_json:
        from dataclasses import asdict

        report = {"folder": str(out), "version": number, "files": dict(files), "checked": [asdict(c) for c in checked]}
        click.echo(json.dumps(report))
        return
    for name, size in files:
        click.echo(f"{out / name}  {size / 1e6:.1f} MB")
    for one in checked:
        same = f"{one.same_choice:.1%} of choices as in the 16-bit file"
        click.echo(f"{one.file}: {one.tokenizer_parity[0]} of {one.tokenizer_parity[1]} texts tokenized alike, {same}")


def _which(what: str, repository: Repository) -> int | None:
    """Return the version that the argument names; None for the base alone."""
    from lsp_server.weights.adapter_registry import current_number

    if what == "base":
        return None
    if what == "current":
        number = current_number(repository.registry)
        if not number:
            raise UserError(f"{repository.root.name} has no current adapter", "name a version, or `base`")
        return number
    if not what.isdigit() or not int(what):
        raise click.UsageError(f"{what} is neither `base` nor `current` nor the number of a version")
    return int(what)


def _current(number: int | None) -> str:
    return f"version {number} is current" if number else "no adapter is current: the base is used alone"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _console() -> Any:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, soft_wrap=True, width=200)
