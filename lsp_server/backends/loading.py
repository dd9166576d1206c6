"""From settings to a model: which backend, from which folder, and whether the model does what its prompt format says.

Runs on the model's thread, because the torch backend takes seconds to import. Fetches nothing.
"""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from indexer.config import Settings
from indexer.prompt.formats import LEFT_TO_RIGHT
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Backend, Limits
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import ModelFolder, open_folder

_SMOKE = (
    ("def add(first, second):\n    return first + second\n\n\ntotal = add(", ")\nprint(total)\n"),
    ("class Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = ", "\n\n    def move(self):\n"),
    ("names = ['a', 'b']\nfor name in ", ":\n    print(name)\n"),
)
_SMOKE_TOKENS = 48


def find_base(base: str) -> Path:
    """The folder of a base model: a path, or a public model's name that stands in the local cache.

    :raises BackendProblem: there is none; the sentence names the folder to fill.
    """
    if not base:
        raise BackendProblem("no base model is set", "set base_model to a model's folder, or use --base")
    path = Path(base).expanduser()
    if path.exists():
        return path
    if path.is_absolute() or base.count("/") != 1:
        raise BackendProblem(f"there is no model folder {base}", "name a folder with config.json and its weights")
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    hub = home / "hub" / ("models--" + base.replace("/", "--"))
    try:
        revision = (hub / "refs" / "main").read_text(encoding="ascii").strip()
        folder = hub / "snapshots" / revision
        if revision.isalnum() and folder.is_dir():
            return folder
    except (OSError, ValueError):
        pass
    raise BackendProblem(f"{base} is not on this machine, and nothing is fetched", f"fill {hub} or name a folder")


def open_base(base: str) -> ModelFolder:
    """The checked folder of a base model; ``base`` may name a GGUF file in it. Imports nothing heavy.

    :raises BackendProblem: there is none, or it is refused.
    """
    path = find_base(base)
    return open_folder(path.parent if path.is_file() else path)


def load_local(settings: Settings, limit: int, tell: Callable[[str], None]) -> Backend:
    """Load the base on what suits the machine: llama.cpp where a GGUF file is and no GPU, torch otherwise.

    :param tell: called when the model is used in a lesser way than asked for.
    """
    path, folder = find_base(settings.base_model), open_base(settings.base_model)
    if folder.note:
        tell(f"{folder.name}: {folder.note}")
    backend: Any
    if folder.gguf and (not folder.weights or path.is_file() or (_has_llama_cpp() and not _has_gpu())):
        from lsp_server.backends.llamacpp_backend import LlamaCppBackend

        if settings.base_bits != 16:
            tell(f"{folder.name}: base_bits is for torch; the bits of a GGUF file are its own")
        backend = LlamaCppBackend(path, limit)
    elif importlib.util.find_spec("torch") is None:
        raise BackendProblem("torch is not installed", "pip install 'ondol[model]', or name a folder with a GGUF file")
    else:
        from lsp_server.backends.torch_backend import TransformersBackend

        backend = TransformersBackend(path, limit, bits=settings.base_bits)
    if folder.spec is not LEFT_TO_RIGHT:
        problem = smoke(backend)
        if problem:
            backend.use_spec(LEFT_TO_RIGHT)
            tell(f"{folder.name}: {problem}; the text after the cursor is not used")
    loaded: Backend = backend
    return loaded


def load_remote(settings: Settings) -> Backend:
    """The remote backend of the settings. A base model's folder, where one is set, lets prompts go as token ids."""
    from lsp_server.backends.http_backend import RemoteBackend, Server

    if not settings.remote_url:
        raise BackendProblem("no server is set", "set remote_url in your own ondol.toml")
    protocol = "infill" if settings.remote_url.rstrip("/").endswith("/infill") else "completions"
    folder = find_base(settings.base_model) if settings.base_model else None
    token = os.environ.get("ONDOL_REMOTE_TOKEN", "")
    return RemoteBackend(Server(settings.remote_url, settings.remote_model, protocol, folder, token))


def smoke(backend: Backend) -> str | None:
    """Ask three easy questions: a model that knows its prompt format ends its answer before running into the suffix.

    :returns: what is wrong, or None. One of the three may run on.
    """
    limits = Limits(max_tokens=_SMOKE_TOKENS, single_line=False, max_lines=8)
    ended = 0
    for prefix, suffix in _SMOKE:
        made = backend.generate(backend.render(PromptInput("example.py", prefix, suffix)), limits)
        ended += made.reason == "end"
    if ended >= 2:
        return None
    return f"only {ended} of 3 easy fill-in-the-middle answers ended"


def _has_llama_cpp() -> bool:
    return importlib.util.find_spec("llama_cpp") is not None and importlib.util.find_spec("gguf") is not None


def _has_gpu() -> bool:
    """Whether an NVIDIA GPU is there, without importing torch to ask."""
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()
