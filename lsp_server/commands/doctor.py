"""The command ``ondol doctor``: checks installation, data folder, index and model, and names the cures.

It reads the files of other commands and changes nothing unless asked to with ``--remove-orphans``.
"""

import json
import os
import platform
import re
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from indexer import fsio
from indexer.cli_options import PathName, data_dir_option, settings_for
from indexer.config import Settings, load
from indexer.data_layout import build_report_file, index_directory, repositories_directory
from indexer.errors import UserError
from indexer.installation import installation
from indexer.languages.grammars import missing_grammars
from indexer.repository import git
from indexer.storage import adoption, cache_files, fingerprint
from indexer.storage.generations import Store
from indexer.storage.write_errors import cure_of
from indexer.text.printable import printable
from lsp_server.commands import machine
from lsp_server.commands.doctor_page import page


@click.command(epilog="Example: ondol doctor --verify")
@click.option("--repo", type=PathName(), default=Path(), help="The repository (default: around here).")
@click.option("--verify", is_flag=True, help="Hash every file of the index.")
@click.option("--remove-orphans", is_flag=True, help="Delete the data of repositories whose folders are gone.")
@click.option("--no-egress", is_flag=True, help="Index, search and serve under a guard: prove that no data leaves.")
@click.option("--backend", type=click.Choice(["retrieval", "local", "remote"]), help="Overrides the settings.")
@click.option("--base", metavar="PATH", help="The base model, a GGUF file or a folder; overrides the settings.")
@click.option("--full", is_flag=True, help="Print the versions of all packages and every reason for a left-out file.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@data_dir_option
def doctor(
    repo: Path,
    verify: bool,
    remove_orphans: bool,
    no_egress: bool,
    backend: str | None,
    base: str | None,
    full: bool,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Check the installation, the index and the model; name what is wrong and the cure.

    The exit code is 1 if something is wrong.
    """
    root = git.find_root(repo)
    settings = settings_for(root, data_dir, quiet=True)
    settings = replace(settings, backend=backend or settings.backend, base_model=base or settings.base_model)
    if remove_orphans:
        for orphan in adoption.orphans(settings):
            fsio.remove_tree(orphan.directory)
            click.echo(f"ondol: removed the data of {printable(orphan.root)}", err=True)
    found = examine(root, settings, verify=verify)
    _add_model(found, root, settings)
    if no_egress:
        _add_egress(found, root)
    if as_json:
        click.echo(json.dumps(found))
    else:
        for line in page(found, full=full):
            click.echo(printable(line))
    sys.exit(1 if found["problems"] else 0)


def examine(root: Path, settings: Settings, *, verify: bool = False) -> dict[str, Any]:
    """What ``ondol doctor`` reports, as plain data; ``problems`` are pairs of what is wrong and the cure."""
    problems: list[tuple[str, str]] = []
    for problem in load(root)[1]:
        problems.append((problem.rstrip("."), "correct it where it is set"))
    return {
        "installed": installation().described(),
        "python": {"version": platform.python_version(), "executable": sys.executable, "system": platform.platform()},
        "packages": _packages(problems),
        "data": _data(settings, problems),
        "machine": machine.describe(),
        "orphans": [
            {"directory": str(one.directory), "root": one.root, "bytes": one.size} for one in adoption.orphans(settings)
        ],
        "repository": _repository(root, problems),
        "index": _index(root, settings, problems, verify),
        "also_search": _also_search(root, settings, problems),
        "problems": problems,
    }


def _packages(problems: list[tuple[str, str]]) -> dict[str, dict[str, str | None]]:
    """Versions of the packages that Ondol declares, by extra; the group ``core`` is always required."""
    found: dict[str, dict[str, str | None]] = {"core": {"ondol": _version("ondol")}}
    for requirement in (metadata.requires("ondol") or []) if found["core"]["ondol"] else []:
        extra = re.search(r"extra == ['\"]([^'\"]+)", requirement)
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        found.setdefault(extra[1] if extra else "core", {})[name] = _version(name)
    missing = [name for name, version in found["core"].items() if version is None]
    if missing:
        problems.append((f"{', '.join(missing)} is not installed", "install Ondol again with its dependencies"))
    unreadable = missing_grammars()
    if unreadable:
        problems.append((f"no grammar can be loaded for {', '.join(unreadable)}", "install Ondol again"))
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _data(settings: Settings, problems: list[tuple[str, str]]) -> dict[str, Any]:
    directory = settings.data_dir
    exists = os.access(directory, os.F_OK)  # False also where a folder above may not be entered
    repositories = repositories_directory(settings)
    private = not os.access(repositories, os.F_OK) or fsio.is_private(repositories)
    if exists and not os.access(directory, os.R_OK | os.X_OK):
        problems.append((f"{directory} cannot be read", "choose another folder with ONDOL_DATA_DIR"))
    writable = os.access(directory if exists else _existing(directory), os.W_OK)
    if not private:
        problems.append((f"{repositories} can be entered by others", f"chmod 700 {repositories}"))
    if not writable:
        problems.append((f"{directory} cannot be written", "choose another folder with ONDOL_DATA_DIR"))
    return {"directory": str(directory), "exists": exists, "private": private, "writable": writable}


def _existing(path: Path) -> Path:
    while not os.access(path, os.F_OK) and path != path.parent:
        path = path.parent
    return path


def _repository(root: Path, problems: list[tuple[str, str]]) -> dict[str, Any]:
    if git.is_bare(root):
        problems.append((f"{root} is a bare repository, so it has no files", "clone it and index the clone"))
        return {"root": str(root), "git": False, "bare": True}
    if not git.is_repository(root):
        return {"root": str(root), "git": False}
    return {
        "root": str(root),
        "git": True,
        "head": git.head(root),
        "branch": git.branch(root),
        "shallow": git.is_shallow(root),
    }


def _index(root: Path, settings: Settings, problems: list[tuple[str, str]], verify: bool) -> dict[str, Any]:
    directory = index_directory(settings, root)
    target = Store(directory)
    found: dict[str, Any] = {"directory": str(directory), "generation": None}
    try:
        opened = target.open(verify=verify)
    except UserError as error:
        if not git.is_bare(root):  # it can have none
            problems.append((error.what, error.cure))
        return found
    except OSError as error:
        problems.append((f"{error.filename or directory}: {error.strerror or error}", cure_of(error)))
        return found
    manifest = opened.manifest
    if opened.problem:
        problems.append((opened.problem.rstrip("."), "run `ondol index`"))
    if manifest.shape != fingerprint.shape():
        problems.append(("another version of Ondol made the index", "run `ondol index`"))
    elif manifest.settings != fingerprint.settings(settings):
        problems.append(("the index was made under other settings", "run `ondol index`"))
    last = cache_files.read_cache(build_report_file(directory))
    return {
        **found,
        "generation": manifest.generation,
        "format": manifest.format,
        "counts": manifest.counts,
        "segments": len(manifest.segments),
        "bytes": target.size(manifest),
        "verified": "every file" if verify else "since the machine started",
        "skipped": last.get("skipped", {}),
        "ceilings": {
            "disk_mb": [round(target.size(manifest) / 1e6, 1), settings.max_index_mb],
            "memory_mb": [round(last.get("memory_bytes", 0) / 1e6), settings.max_index_memory_mb],
            "minutes": [round(last.get("seconds", 0.0) / 60, 1), settings.max_index_minutes],
            "processes": settings.workers,
        },
        "last_run": last.get("when"),
    }


def _also_search(root: Path, settings: Settings, problems: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """The other repositories that are searched too, each with its lines, or why it is not searched."""
    if not settings.also_search:
        return []
    from indexer.storage.joined import MOST
    from lsp_server.server.factories import open_index
    from lsp_server.server.other_repositories import entries, shown

    rows: list[dict[str, Any]] = []
    for number, entry in enumerate(entries(settings, root, open_index)):
        row: dict[str, Any] = {"named": entry.named, "root": str(entry.root) if entry.root else None}
        if entry.error is not None:
            row["state"] = "not searched"
            what, cure = getattr(entry.error, "what", str(entry.error)), getattr(entry.error, "cure", "report it")
            problems.append((f"also_search: {shown(entry.named)} is not searched: {what}", cure))
        elif number >= MOST:
            row["state"] = "not searched"
            problems.append((f"also_search: only the first {MOST} entries are searched", "take others out"))
        elif entry.index is None:
            row["state"] = "is searched anyway"
        else:
            row |= {"state": "indexed", **entry.index.manifest.counts}
        rows.append(row)
    return rows


def _add_model(found: dict[str, Any], root: Path, settings: Settings) -> None:
    """Add facts about the model, where the settings name one."""
    if settings.backend == "retrieval":
        return
    from lsp_server.commands import model_doctor

    about, problems = model_doctor.examine(root, settings)
    found["model"] = about
    found["problems"] += problems


def _add_egress(found: dict[str, Any], root: Path) -> None:
    from lsp_server.commands import egress

    proof = found["egress"] = egress.prove(root)
    for attempt in proof["attempts"]:
        found["problems"].append((f"something tried to leave: {attempt}", "report it"))
    for step in proof["steps"]:
        if not step["ok"]:
            found["problems"].append((f"`ondol {step['command']}` failed under the guard: {step['said']}", "report it"))
