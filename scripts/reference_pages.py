"""Writes what the documentation says of settings, commands and options out of the code that declares them.

``python scripts/reference_pages.py`` replaces the text between the two marks of each part; ``--check`` only says which
page is not current. The parts are the table of ``docs/configuration.md`` and the sections of ``docs/commands.md``.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import click

from finetune.cli import main as ondol
from indexer.config import describe

ROOT: Final = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- made by scripts/reference_pages.py -->", "<!-- end -->"
"""The marks around each part."""


def settings() -> str:
    """Return the table of all settings."""
    rows = [
        f"| `{name}` | {_cell(default)} | {'tighten it' if trust == 'narrow' else 'not set it'} | {_cell(help)} |"
        for name, default, trust, help in describe()
    ]
    return "\n".join(["| setting | default | a repository may | meaning |", "|---|---|---|---|", *rows])


def commands() -> str:
    """Return a section for each command: what it does, its usage, its options and an example."""
    parts = []
    for path, command in _commands(ondol, ("ondol",)):
        context = click.Context(command, info_name=" ".join(path))
        usage = " ".join(command.collect_usage_pieces(context))
        parts += [f"## {' '.join(path)}", _prose(command.help or ""), f"```sh\n{' '.join(path)} {usage}\n```"]
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        if options:
            parts.append("\n".join(["| option | meaning |", "|---|---|", *map(_option, options)]))
        if command.epilog:
            parts.append(_prose(re.sub(r"^(Examples?): (.*)$", r"\1: `\2`", command.epilog, flags=re.DOTALL)))
    return "\n\n".join(parts)


KEPT: Final = "\b"
"""Begins a paragraph of a help text whose line ends are kept, as click defines it."""

PARTS: Final[dict[str, Callable[[], str]]] = {
    "docs/configuration.md": settings,
    "docs/commands.md": commands,
}
"""The pages with a part that is made here, and what makes it."""


def current(page: str) -> tuple[str, str]:
    """Return a page as it is and as it should be.

    :raises ValueError: the page has no marks.
    """
    text = (ROOT / page).read_text("utf-8")
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    return text, f"{text[:start]}\n{PARTS[page]()}\n{text[stop:]}"


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _option(option: click.Option) -> str:
    names = ", ".join([*option.opts, *option.secondary_opts])
    value = "" if option.is_flag or option.count else _value(option)
    default = option.default
    shown = option.show_default and default is not None and not callable(default) and not option.is_flag
    said = (option.help or "") + (f" Default: {default}." if shown else "")
    return f"| `{_cell(f'{names} {value}')}` | {_cell(said)} |"


def _value(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    kind = option.type
    return "/".join(map(str, kind.choices)) if isinstance(kind, click.Choice) else kind.name.split(" ")[0].upper()


def _prose(text: str) -> str:
    """Return the paragraphs of a help text, each on one line; those marked to stay as they are, as a block."""
    parts = (part.strip("\n") for part in inspect.cleandoc(text).split("\n\n"))
    return "\n\n".join(
        f"```text\n{part.removeprefix(KEPT).strip()}\n```" if part.startswith(KEPT) else " ".join(part.split())
        for part in parts
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> int:
    """Write the parts, or with ``--check`` name the pages that are not current; return the exit code."""
    stale = []
    for page in PARTS:
        before, after = current(page)
        if before == after:
            continue
        stale.append(page)
        if "--check" not in sys.argv:
            (ROOT / page).write_text(after, "utf-8")
    for page in stale:
        print(f"{page} was {'not current' if '--check' in sys.argv else 'written'}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
