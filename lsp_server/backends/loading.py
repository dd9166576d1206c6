"""Loads the model that the settings name: chooses the backend and checks that the model follows its prompt format.

Runs on the model's thread, because the torch backend takes seconds to import. Fetches nothing.
"""

import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.installation import install_command
from indexer.prompt.formats import LEFT_TO_RIGHT
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Backend, Limits
from lsp_server.errors import BackendProblem
from lsp_server.weights.base_model import ModelFolder, open_folder

_EASY = (
    ("def add(first, second):\n    return first + second\n\n\ntotal = add(", ")\nprint(total)\n"),
    ("class Point:\n    def __init__(self, x, y):\n        self.x = x\n        self.y = ", "\n\n    def move(self):\n"),
    ("names = ['a', 'b']\nfor name in ", ":\n    print(name)\n"),
)
_EASY_TOKENS = 48


_PUBLIC_NAME: Final = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def find_base(base: str) -> Path:
    """The path of a base model: a folder or a GGUF file.

    :param base: a path, or the name of a public model in the local cache.
    :raises BackendProblem: there is none; the sentence names the folder to fill.
    """
    if not base:
        raise BackendProblem("no base model is set", "set base_model to a GGUF file or a model's folder, or use --base")
    path = Path(base).expanduser()
    if path.exists():
        return path
    if "://" in base:
        raise BackendProblem(f"{base} is an address, and nothing is fetched", "fetch the file and name its place")
    if _PUBLIC_NAME.fullmatch(base) is None or path.suffix.lower() == ".gguf":
        raise BackendProblem(f"there is no model {base}", "name a GGUF file, or a folder with a model's files")
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
    """Open and check a base model. Imports nothing heavy.

    :param base: see :func:`find_base`.
    :raises BackendProblem: there is none, or it is refused.
    """
    return open_folder(find_base(base))


_TORCH_PACKAGES: Final = ("torch", "safetensors")
"""What a model on torch needs; bitsandbytes alone brings the first of them."""


def load_local(
    settings: Settings, limit: int, report: Callable[[str], None], folder: ModelFolder | None = None
) -> Backend:
    """Load the base: on llama.cpp where there is a GGUF file and no GPU, on torch otherwise.

    :param limit: tokens a prompt may have.
    :param report: called with a sentence for everything that the settings ask for and the model cannot do.
    :param folder: the base of the settings, if it is open already.
    """
    folder = folder or open_base(settings.base_model)
    if folder.note:
        report(f"{folder.name}: {folder.note}")
    backend: Any
    if folder.gguf and (not folder.weights or (_has_llama_cpp() and not _has_gpu())):
        from lsp_server.backends.llamacpp_backend import LlamaCppBackend

        if settings.base_bits != 16:
            report(f"{folder.name}: base_bits is for torch; a GGUF file has bits of its own")
        backend = LlamaCppBackend(folder, limit)
    elif missing := [name for name in _TORCH_PACKAGES if importlib.util.find_spec(name) is None]:
        raise BackendProblem(f"{missing[0]} is not installed", f"name a GGUF file, or run: {install_command('model')}")
    else:
        from lsp_server.backends.torch_backend import TorchBackend

        backend = TorchBackend(folder, limit, bits=settings.base_bits)
    if folder.spec is not LEFT_TO_RIGHT:
        problem = check_format(backend)
        if problem:
            backend.use_spec(LEFT_TO_RIGHT)
            report(f"{folder.name}: {problem}; the text after the cursor is not used")
    loaded: Backend = backend
    return loaded


def load_remote(settings: Settings) -> Backend:
    """The HTTP backend of the settings. With a base model's folder, prompts are sent as token ids."""
    from lsp_server.backends.http_backend import HttpBackend, ModelServer

    if not settings.remote_url:
        raise BackendProblem("no server is set", "set remote_url in your own ondol.toml")
    protocol = "infill" if settings.remote_url.rstrip("/").endswith("/infill") else "completions"
    folder = find_base(settings.base_model) if settings.base_model else None
    token = os.environ.get("ONDOL_REMOTE_TOKEN", "")
    return HttpBackend(ModelServer(settings.remote_url, settings.remote_model, protocol, folder, token))


def check_format(backend: Backend) -> str | None:
    """Generate three easy answers: a model that knows its prompt format ends them before it repeats the suffix.

    :returns: what is wrong, or None. One of the three answers may run on.
    """
    limits = Limits(max_tokens=_EASY_TOKENS, single_line=False, max_lines=8)
    ended = 0
    for prefix, suffix in _EASY:
        made = backend.generate(backend.render(PromptInput("example.py", prefix, suffix)), limits)
        ended += made.reason == "end"
    if ended >= 2:
        return None
    return f"only {ended} of 3 easy fill-in-the-middle answers ended"


def _has_llama_cpp() -> bool:
    return importlib.util.find_spec("llama_cpp") is not None and importlib.util.find_spec("gguf") is not None


def _has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, found without an import of torch."""
    return Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()
