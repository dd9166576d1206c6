"""Settings: defaults < user file < ``ONDOL_*`` environment < the editor's options; then the repository narrows them.

Every field of :class:`Settings` declares who may set it and what it means. A repository's own ``.ondol.toml`` is not
trusted: it can exclude more files and lower limits, and nothing else. A field whose trust is ``"user"`` is never read
from it. A bad value stops nothing: it is reported with its key, the reason and the value that is used instead.

A command applies its options with :func:`dataclasses.replace`.
"""

import dataclasses
import difflib
import os
import re
import stat
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

import platformdirs

from indexer.finetune_settings import FinetuneSettings
from indexer.ignore_patterns import is_usable, usable
from indexer.setting_fields import (
    Trust,
    absolute,
    address,
    at_least,
    between,
    one_of,
    positive,
    setting,
    share,
    unknown_languages,
)

REPOSITORY_FILE = ".ondol.toml"
USER_FILE = "ondol.toml"
ENVIRONMENT_PREFIX = "ONDOL_"
_CONFIG_FILE_LIMIT = 64 * 1024

_BOOLEANS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def _union(ours: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[str, ...]:
    return ours + tuple(item for item in theirs if item not in ours)


def _both(ours: bool, theirs: bool) -> bool:
    return ours and theirs


def _patterns(value: Any) -> str | None:
    bad = [pattern for pattern in value if not is_usable(pattern)]
    return f"holds a pattern that cannot be used ({_show(bad[0])})" if bad else None


def _default_data_dir() -> Path:
    return platformdirs.user_data_path("ondol", appauthor=False)


def _default_workers() -> int:
    return max(1, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. See ``docs/configuration.md``, which is made from these declarations."""

    data_dir: Path = setting(  # noqa: RUF009 - it returns a dataclass field
        _default_data_dir,
        "Folder for indexes, adapters, traces and statistics; one subfolder per repository.",
        check=absolute,
        shown="the platform's data folder, e.g. ~/.local/share/ondol",
    )
    exclude: tuple[str, ...] = setting(
        (), "Patterns in .gitignore syntax: files that are never read.", narrow=_union, check=_patterns
    )
    include_vendored: bool = setting(
        False, "Also read other people's code kept in folders such as vendor/ and third_party/.", narrow=_both
    )
    include_generated: bool = setting(False, "Also read files that say they were generated.", narrow=_both)
    max_file_bytes: int = setting(1_000_000, "Larger files are left out, in bytes.", narrow=min, check=positive)
    max_line_chars: int = setting(
        20_000, "Files with a longer line are left out, in characters.", narrow=min, check=positive
    )
    disabled_languages: tuple[str, ...] = setting(
        (), "Languages in which nothing is suggested.", narrow=_union, remark=unknown_languages
    )
    precision: float = setting(
        0.66,
        "Probability with which all of an automatic suggestion shall be right; higher shows fewer and shorter ones.",
        narrow=max,
        check=share,
    )
    multi_line: bool = setting(True, "Suggest more than the rest of the line.", narrow=_both)
    max_lines: int = setting(12, "Longest suggestion, in lines.", narrow=min, check=positive)
    next_edits: bool = setting(True, "Offer to repeat an edit at the other places that it fits.", narrow=_both)
    deadline_ms: int = setting(
        100,
        "Time for one answer, in milliseconds. A request waits for a model at least so long, and longer where the "
        "model's measured speed says that its answer is near; a copy that is sure enough waits for nothing.",
        check=between(1, 3_600_000),
    )
    backend: str = setting(
        "retrieval",
        "What writes suggestions: retrieval (copies, no model), local (a model in this process) "
        "or remote (a completion server).",
        check=one_of("retrieval", "local", "remote"),
    )
    base_model: str = setting("", "Base model of the local backend: a GGUF file, a folder, or a model's name.")
    base_bits: int = setting(
        16,
        "Bits of the local model's matrices on torch: 16, or 8 or 4 (bitsandbytes) for a model too big for the card.",
        check=one_of(16, 8, 4),
    )
    remote_url: str = setting(
        "", "Address of an OpenAI-compatible completion server for the remote backend.", check=address
    )
    remote_model: str = setting("", "Name of the model to ask the remote server for.")
    completion_fallback: bool = setting(
        False, "Offer the same text in the completion list, for editors without inline completion."
    )
    trace_text: bool = setting(
        False, "Keep the text of suggestions and their surroundings in local traces.", narrow=_both
    )
    workers: int = setting(
        _default_workers, "Processes that index.", narrow=min, check=positive, shown="number of CPU cores"
    )
    share_engine: bool = setting(
        False,
        "Let all windows of this user share one engine, so that index and model are in memory once. Read when the "
        "server starts: from the user's file, the environment or `ondol serve --share`, not from an editor's options.",
    )
    also_search: tuple[str, ...] = setting(
        (),
        "Other repositories whose indexes are searched too: paths of their folders, in full or with ~, or names of "
        "their folders below repositories/ in the data folder.",
    )
    max_index_mb: int = setting(
        20_000,
        "Ceiling for an index on disk, in MB. Over it duplicates are left out, then generated and vendored files, then "
        "the files that were changed the longest ago.",
        narrow=min,
        check=positive,
    )
    max_index_memory_mb: int = setting(
        4_000,
        "Ceiling for the memory of all processes that index, in MB, 1,000 at least. Under a low one fewer of them run.",
        narrow=min,
        check=at_least(1000),
    )
    max_index_minutes: int = setting(
        240,
        "Ceiling for one run of `ondol index`, in minutes; what is not done is left for the next one.",
        narrow=min,
        check=positive,
    )
    debounce_ms: int = setting(
        0, "Wait this long after a keystroke before answering, in milliseconds.", check=between(0, 3_600_000)
    )
    finetune: FinetuneSettings = dataclasses.field(default_factory=FinetuneSettings)


TABLES = {"finetune": FinetuneSettings}
"""The settings that stand in a table of their own, by its name. A key there is ``table.name`` everywhere below."""

_GROUPS = {"": Settings, **{f"{name}.": kind for name, kind in TABLES.items()}}
_FIELDS = {
    prefix + field.name: field
    for prefix, kind in _GROUPS.items()
    for field in dataclasses.fields(kind)
    if field.name not in TABLES
}
_TYPES = {prefix + name: hint for prefix, kind in _GROUPS.items() for name, hint in typing.get_type_hints(kind).items()}


def describe() -> list[tuple[str, str, Trust, str]]:
    """Every setting as (name, default as text, trust, help), in the order of declaration."""
    rows: list[tuple[str, str, Trust, str]] = []
    for name, field in _FIELDS.items():
        default = field.metadata["shown"] or _show(attrgetter(name)(_DEFAULTS))
        rows.append((name, default, field.metadata["trust"], field.metadata["help"]))
    return rows


def load(
    root: Path | None = None,
    env: Mapping[str, str] | None = None,
    user_file: Path | None = None,
    init_options: Mapping[str, Any] | None = None,
) -> tuple[Settings, list[str]]:
    """Read all sources and return the settings with the problems met, one sentence each. Never raises.

    :param root: the repository whose ``.ondol.toml`` may narrow; None for none.
    :param env: the environment; None for this process's.
    :param user_file: the user's file; None for ``ondol.toml`` in the platform's config folder.
    :param init_options: the editor's options; names in snake_case or camelCase.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    user_file = user_file or user_config_file()
    for key, raw in _read_toml(user_file, problems).items():
        _take(values, key, raw, str(user_file), problems)
    for key, raw in sorted((os.environ if env is None else env).items()):
        if key.startswith(ENVIRONMENT_PREFIX):
            name = _dotted(key.removeprefix(ENVIRONMENT_PREFIX).lower())
            if name not in _FIELDS and not _like(name):
                continue  # a variable of another program, or of Ondol's own tests
            _take(values, name, _parse_text(name, raw), f"environment variable {key}", problems)
    for key, raw in _flat(init_options or {}).items():
        _take(values, _snake(str(key)), raw, "the editor's options", problems)
    if root is not None:
        for key, raw in _read_toml(Path(root) / REPOSITORY_FILE, problems).items():
            _narrow(values, key, raw, problems)
    tables: dict[str, Any] = {
        table: kind(**{name: _current(values, f"{table}.{name}") for name in kind.__dataclass_fields__})
        for table, kind in TABLES.items()
    }
    return Settings(**{key: value for key, value in values.items() if "." not in key}, **tables), problems


def user_config_file() -> Path:
    """Where the user's own settings are read from."""
    return platformdirs.user_config_path("ondol", appauthor=False) / USER_FILE


def _read_toml(path: Path, problems: list[str]) -> dict[str, Any]:
    """The table in ``path``; empty if there is no file. Only a regular file of modest size is opened."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        if path.name == USER_FILE:
            flags &= ~getattr(os, "O_NOFOLLOW", 0)  # a user's own file may be a link
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        problems.append(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); it is ignored.")
        return {}
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # before fdopen, which refuses a folder
        os.close(descriptor)
        problems.append(f"{path}: is not a regular file; it is ignored.")
        return {}
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(_CONFIG_FILE_LIMIT + 1)
            if len(data) > _CONFIG_FILE_LIMIT:
                problems.append(f"{path}: is larger than {_CONFIG_FILE_LIMIT} bytes; it is ignored.")
                return {}
            return _flat(tomllib.loads(data.decode("utf-8-sig")))
        except (OSError, ValueError, RecursionError) as error:
            problems.append(f"{path}: is not valid TOML ({error or 'nested too deeply'}); it is ignored.")
            return {}


def _take(values: dict[str, Any], key: str, raw: Any, where: str, problems: list[str]) -> None:
    """Put a trusted value in place, or report why not."""
    value, reason = _convert(key, raw)
    if reason is None:
        values[key] = value
        _remark(key, value, where, problems)
    elif key in _FIELDS:
        values |= {key: kept} if key == "exclude" and (kept := usable(raw)) else {}
        problems.append(f"{where}: {key} {reason}; {_show(_current(values, key))} is used.")
    else:
        meant = _like(key)
        problems.append(f"{where}: {key} {reason}; it is ignored{f'. Is {meant} meant?' if meant else '.'}")


def _remark(key: str, value: Any, where: str, problems: list[str]) -> None:
    """Report what is odd about a value that is used nevertheless."""
    remark = _FIELDS[key].metadata["remark"]
    if remark and (said := remark(value)):
        problems.append(f"{where}: {key} {said}.")


def _like(key: str) -> str:
    """The setting of the same table whose name is almost ``key``, or nothing."""
    table, _, name = key.rpartition(".")
    names = {field.rpartition(".")[2]: field for field in _FIELDS if field.rpartition(".")[0] == table}
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    return names[found[0]] if found else ""


def _narrow(values: dict[str, Any], key: str, raw: Any, problems: list[str]) -> None:
    """Join a repository's value with the user's, or report why not."""
    field = _FIELDS.get(key)
    if field is not None and field.metadata["trust"] != "narrow":
        problems.append(
            f"{REPOSITORY_FILE}: {key} may not be set by a repository; copy it into your user settings"
            f" ({user_config_file()}) if you trust it."
        )
        return
    value, reason = _convert(key, raw)
    if reason is not None and key == "exclude" and (kept := usable(raw)):
        problems.append(f"{REPOSITORY_FILE}: {key} {reason}; {_show(kept)} is used.")
        value, reason = kept, None
    if field is None or reason is not None:
        _take(values, key, raw, REPOSITORY_FILE, problems)
        return
    ours = _current(values, key)
    joined = field.metadata["narrow"](ours, value)
    values[key] = joined
    _remark(key, value, REPOSITORY_FILE, problems)
    if not isinstance(ours, tuple) and joined != value:
        problems.append(f"{REPOSITORY_FILE}: {key} may only be tightened by a repository; {_show(ours)} is used.")


def _current(values: Mapping[str, Any], key: str) -> Any:
    return values[key] if key in values else attrgetter(key)(_DEFAULTS)


def _convert(key: str, raw: Any) -> tuple[Any, str | None]:
    """``raw`` as the type of setting ``key``: (value, None), or (None, what is wrong with it)."""
    if key not in _FIELDS:
        return None, "is not a setting"
    kind = _TYPES[key]
    value: Any = raw
    if kind is bool:
        if not isinstance(raw, bool):
            return None, f"must be true or false, not {_show(raw)}"
    elif kind is int:
        if isinstance(raw, bool) or not isinstance(raw, int):
            return None, f"must be a whole number, not {_show(raw)}"
    elif kind is float:
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            return None, f"must be a number, not {_show(raw)}"
        value = float(raw)
    elif isinstance(kind, types.GenericAlias):
        if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
            return None, f"must be a list of strings, not {_show(raw)}"
        value = tuple(raw)
    elif not isinstance(raw, str | Path) or "\0" in str(raw):
        return None, f"must be a string, not {_show(raw)}"
    elif kind is Path:
        try:
            value = Path(raw).expanduser()
        except RuntimeError:
            return None, f"names a home folder that does not exist: {_show(raw)}"
    check = _FIELDS[key].metadata["check"]
    reason = check(value) if check else None
    return (value, None) if reason is None else (None, f"{reason}, not {_show(raw)}")


def _parse_text(key: str, text: str) -> Any:
    """An environment variable as the type of ``key``; what cannot be read stays text and is reported by its check."""
    kind = _TYPES.get(key)
    if kind is bool:
        return _BOOLEANS.get(text.strip().lower(), text)
    if kind is int or kind is float:
        try:
            return kind(text)
        except ValueError:
            return text
    if isinstance(kind, types.GenericAlias):
        return [item.strip() for item in re.split(r"[,\n]", text) if item.strip()]
    return text


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with the keys of tables as ``table.name``."""
    flat: dict[str, Any] = {}
    for key, value in options.items():
        if key in TABLES and isinstance(value, Mapping):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    return flat


def _dotted(name: str) -> str:
    """Return the key of a name in which the table is joined by an underscore, as in ``ONDOL_FINETUNE_RANK``."""
    table, _, rest = name.partition("_")
    return f"{table}.{rest}" if table in TABLES else name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _show(value: Any) -> str:
    """A value as TOML would write it, cut to a readable length."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, tuple | list):
        text = "[" + ", ".join(_show(item) for item in value) + "]"
    elif isinstance(value, str | Path):
        text = '"' + str(value) + '"'
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


_DEFAULTS = Settings()
