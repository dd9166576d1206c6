"""The model's part of ``ondol doctor``: which model, what runs it, its prompt format, and what is missing.

The model is loaded and its prompt format is checked, as at the start of a server. A remote server gets a short request
without any text of the repository. Knows settings and folders, no protocol.
"""

import time
from pathlib import Path
from typing import Any

from indexer.config import Settings
from indexer.data_layout import registry_directory
from indexer.errors import OndolError, UserError
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local, load_remote, open_base
from lsp_server.errors import BackendProblem
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.weights.adapter_registry import current_number, read_version

_QUESTION = PromptInput("example.py", "def add(first, second):\n    return ", "\n\n\nprint(add(1, 2))\n")
_REMOTE_SECONDS = 20.0
_SPEED_PROMPT = "".join(f"def step_{n}(first, second):\n    return first * {n} + second\n\n\n" for n in range(16))
_WRITTEN = 16

Problems = list[tuple[str, str]]


def examine(root: Path, settings: Settings) -> tuple[dict[str, Any], Problems]:
    """Facts about the model that the settings name, and pairs of a problem and its cure."""
    problems: Problems = []
    about: dict[str, Any] = {"backend": settings.backend}
    try:
        look = _remote if settings.backend == "remote" else _local
        look(root, settings, about, problems)
    except OndolError as error:
        problems.append(_pair(error))
    return about, problems


def _local(root: Path, settings: Settings, about: dict[str, Any], problems: Problems) -> None:
    folder = open_base(settings.base_model)
    about |= {"base": folder.name, "folder": str(folder.path), "context": f"{folder.context:,} tokens"}
    about["files"] = ", ".join(f.name for f in (*folder.weights, *folder.gguf))
    limits: list[str] = []
    began = time.perf_counter()
    backend: Any = load_local(settings, PROMPT_TOKENS, limits.append, folder)
    try:
        about["loaded in"] = f"{time.perf_counter() - began:.1f} s, including the check of its prompt format"
        about["runs on"] = backend.about["runs_on"]
        about["prompt format"] = backend.about["format"]
        for limit in limits:
            problems.append((limit, "choose a base that follows its prompt format, or accept it"))
        _adapter(root, settings, backend, about, problems)
        about["speed"] = _speed(backend)
    finally:
        backend.close()


def _speed(backend: Any) -> str:
    """How fast this machine reads a prompt and writes now, and what a short answer after a cold prompt takes."""
    prompt = backend.render(PromptInput("example.py", _SPEED_PROMPT, ""))
    read = backend.generate(prompt, Limits(max_tokens=1))
    wrote = backend.generate(prompt, Limits(max_tokens=_WRITTEN + 1, single_line=False))
    new = max(1, read.prompt_tokens - read.reused)
    words = f"reads {new / read.seconds:,.0f} tokens of a prompt a second"
    if wrote.tokens:
        words += f", writes {len(wrote.tokens) / wrote.seconds:,.0f}"
    return f"{words}; a short answer after a new prompt of {new} tokens takes {read.seconds + wrote.seconds:.2f} s"


def _adapter(root: Path, settings: Settings, backend: Any, about: dict[str, Any], problems: Problems) -> None:
    registry = registry_directory(settings, root)
    try:
        number = current_number(registry)
        about["adapter"] = f"version {number}" if number else "none"
        if number:
            folder = backend.folder
            backend.set_adapter(read_version(registry, number, folder.identity, folder.spec.name, folder.tensors))
    except BackendProblem as error:
        about["adapter"] = "refused"
        problems.append(_pair(error))


def _remote(root: Path, settings: Settings, about: dict[str, Any], problems: Problems) -> None:
    backend: Any = load_remote(settings)
    about |= {"server": backend.about["runs_on"], "model name": settings.remote_model or "the server's own"}
    about["prompt format"] = backend.about["format"]
    about["encrypted"] = "no, in the clear over the network" if backend.unencrypted else "yes, or on this machine"
    if backend.unencrypted:
        problems.append(("code travels to the model's server in the clear", "put a TLS proxy before it, use https://"))
    limits = Limits(max_tokens=8, deadline=time.monotonic() + _REMOTE_SECONDS)
    made = backend.generate(backend.render(_QUESTION), limits)
    if made.reason == "time":
        problems.append((f"the model's server gave no answer in {_REMOTE_SECONDS:.0f} s", "look at the server's log"))
    about["answers in"] = f"{made.seconds:.2f} s"


def _pair(error: OndolError) -> tuple[str, str]:
    if isinstance(error, UserError):
        return error.what, error.cure
    return str(error).rstrip("."), "look at the log"
