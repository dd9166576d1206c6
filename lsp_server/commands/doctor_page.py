"""The page of ``ondol doctor``: what is wrong and the cure first, then the facts, one line each."""

import json
from collections.abc import Iterator
from typing import Any, Final

from indexer.installation import install_command
from indexer.text.printable import printable

_PARTS: Final = {
    "model": "a model on a GPU, and training",
    "cpu-model": "a model on a CPU",
    "quantized": "a model in 8 or 4 bits",
    "dashboard": "the web page",
}
"""Optional parts that users install, and what for."""
_REASONS = 4
"""Reasons for left-out files that the short page names."""


def page(found: dict[str, Any], *, full: bool) -> Iterator[str]:
    """The lines of the page.

    :param found: what :func:`lsp_server.commands.doctor.examine` returned.
    :param full: with the versions of all packages and all reasons for left-out files.
    """
    yield from _problems(found["problems"])
    python = found["python"]
    yield _row("Ondol", f"{found['packages']['core']['ondol']}, {found['installed']}")
    yield _row("Python", f"{python['version']}  {python['executable']}")
    yield from _parts(found["packages"])
    data = found["data"]
    mode = "private" if data["private"] else "OPEN TO OTHERS"
    yield _row("data", f"{data['directory']}  {mode if data['exists'] else 'not made yet'}")
    yield from _machine(found["machine"])
    for one in found["orphans"]:
        size = f"{one['bytes'] / 1e6:.1f} MB of {printable(one['root'])}, which is gone"
        yield _row("orphan", f"{size}; `ondol doctor --remove-orphans` deletes it")
    yield _row("repository", _repository(found["repository"]))
    yield from _index(found["index"], full)
    for number, one in enumerate(found["also_search"]):
        lines = f", {one['lines']:,} lines" if "lines" in one else ""
        where = printable(one["root"] or json.dumps(one["named"]))
        yield _row("" if number else "also search", f"{where}  {one['state']}{lines}")
    for number, (key, value) in enumerate(found.get("model", {}).items()):
        yield _row("" if number else "model", f"{key}: {printable(str(value))}")
    if "egress" in found:
        proof = found["egress"]
        where = "in a namespace without network" if proof["isolated"] else "under an audit hook"
        commands = ", ".join(step["command"] for step in proof["steps"])
        yield _row("egress", f"{len(proof['attempts'])} attempts to leave, {where}: {commands}")
    if full:
        for group, packages in found["packages"].items():
            yield _row(group, ", ".join(f"{name} {version or '-'}" for name, version in packages.items()))
    else:
        yield _row("more", "ondol doctor --full shows the versions of all packages")


def _row(name: str, text: str) -> str:
    return f"{name:<12} {text}"


def _problems(problems: list[tuple[str, str]]) -> Iterator[str]:
    if not problems:
        yield "nothing is wrong"
    for what, cure in problems:
        yield _row("wrong", what)
        yield f"   cure      {cure}"
    yield ""


def _parts(packages: dict[str, dict[str, str | None]]) -> Iterator[str]:
    """Which optional parts are there, and how the others are installed."""
    whole = [part for part in _PARTS if all(packages.get(part, {"": None}).values())]
    absent = [part for part in _PARTS if part not in whole]
    if whole:
        yield _row("installed", "; ".join(f"{part} ({_PARTS[part]})" for part in whole))
    for number, part in enumerate(absent):
        yield _row("" if number else "optional", f"{part} ({_PARTS[part]}): {install_command(part)}")


def _machine(facts: dict[str, Any]) -> Iterator[str]:
    memory = f", {facts['memory_gb']} GB of memory" if "memory_gb" in facts else ""
    free = f" ({facts['free_gb']} GB free)" if "free_gb" in facts else ""
    yield _row("machine", f"{facts['cores']} cores{', a GPU' if facts['gpu'] else ''}{memory}{free}")
    if "carries" in facts:
        yield _row("", f"models: {facts['carries']}")


def _repository(repository: dict[str, Any]) -> str:
    state = "a bare repository" if repository.get("bare") else "a plain folder"
    if repository["git"]:
        head = (repository["head"] or "no commits")[:12]
        shallow = ", shallow" if repository["shallow"] else ""
        state = f"{repository['branch'] or 'detached'} at {head}{shallow}"
    return f"{printable(repository['root'])}  {printable(state)}"


def _ceilings(used: dict[str, Any]) -> str:
    """What the index and its last build used, of the ceilings in the settings."""
    (disk, most_disk), (memory, most_memory), (minutes, most_minutes) = (
        used[name] for name in ("disk_mb", "memory_mb", "minutes")
    )
    remembered = f"memory {memory:,} of {most_memory:,} MB" if memory else f"memory at most {most_memory:,} MB"
    spent = f"last run {minutes:,} of {most_minutes:,} minutes"
    return f"disk {disk:,} of {most_disk:,} MB; {remembered}; {spent}; {used['processes']} processes"


def _index(index: dict[str, Any], full: bool) -> Iterator[str]:
    if index["generation"] is None:
        yield _row("index", f"none  {index['directory']}")
        return
    counts = index["counts"]
    figures = ", ".join(f"{counts[name]:,} {name}" for name in ("files", "chunks", "lines") if name in counts)
    yield _row("index", f"generation {index['generation']}: {figures}, {index['bytes'] / 1e6:.1f} MB on disk")
    yield _row("", index["directory"])
    yield _row("", f"hashes checked: {index['verified']}")
    yield _row("ceilings", _ceilings(index["ceilings"]))
    reasons = sorted(index["skipped"].items(), key=lambda item: -item[1])
    shown = reasons if full else reasons[:_REASONS]
    for reason, count in shown:
        yield _row("", f"left out: {count:,} {reason}")
    if len(shown) < len(reasons):
        rest = sum(count for _, count in reasons[_REASONS:])
        yield _row("", f"left out: {rest:,} for other reasons (--full names them)")
