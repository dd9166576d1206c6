"""The local model on torch: loaded through transformers, run by our own decode loop, with the team's adapter in it.

Importing this module imports torch and transformers (seconds): only the model's own thread does so. Weights are read
from safetensors only, no code comes from a model's folder, and nothing is fetched.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from indexer.prompt.formats import PromptSpec
from indexer.prompt.renderer import Prompt, PromptInput, Renderer
from lsp_server.backends import torch_llama
from lsp_server.backends.base import Cancelled, Generation, Limits, Progress, never
from lsp_server.backends.decoding import Model, decoder_for
from lsp_server.backends.torch_quantized import WHOLE, Beside, quantization, refused
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion
from lsp_server.weights.base_model import ModelFolder, open_folder

RESERVE = 128
"""Tokens of the context kept free for what the model writes."""


def pick_device(wanted: str = "auto") -> torch.device:
    """The device to run on: CUDA, Apple's MPS, or the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, float32 elsewhere (an old CPU emulates bfloat16 slowly)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if device.type == "mps":
        return torch.float16
    fast = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return torch.bfloat16 if fast() else torch.float32


class TransformersBackend:
    """A loaded base with at most one adapter merged into it, or beside a quantized one. One thread at a time.

    :param limit: tokens a prompt may have; smaller where the model's context is.
    :param bits: of the base's matrices: 16 (as ``dtype`` says), 8 or 4.
    :raises BackendProblem: the folder is refused, or memory does not suffice.
    """

    def __init__(
        self,
        base: Path,
        limit: int = 2048,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        bits: int = WHOLE,
    ) -> None:
        self.folder: ModelFolder = open_folder(base)
        if not self.folder.weights:
            raise BackendProblem(
                f"{base} holds GGUF only", "install llama-cpp-python, or fetch the safetensors weights"
            )
        torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))
        self._device = pick_device(device)
        self._dtype = dtype or pick_dtype(self._device)
        self._bits = bits
        context = min(self.folder.context, limit + RESERVE)
        self._renderer = Renderer(self.folder.spec, self.folder.vocabulary, context - RESERVE)
        self._module = self._load()
        self._beside = Beside(self._module) if bits < WHOLE else None
        self._model: Model = _computing(self._module, context, whole=bits == WHOLE)
        self._decoder = decoder_for(self._model, self.folder.spec, self.folder.vocabulary)
        self._adapter: AdapterVersion | None = None

    @property
    def name(self) -> str:
        """Base and adapter, as statistics show them."""
        return self.folder.name + (f"+{self._adapter.label}" if self._adapter else "")

    @property
    def about(self) -> dict[str, str]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        number = str(self._dtype).removeprefix("torch.") if self._bits == WHOLE else f"{self._bits} bits"
        return {
            "base": self.folder.name,
            "format": self._renderer.spec.name,
            "runs_on": f"torch, {self._device}, {number}",
            "adapter": self._adapter.label if self._adapter else "",
        }

    def use_spec(self, spec: PromptSpec) -> None:
        """Ask in another way from now on (left to right, when the model's own way has turned out not to work)."""
        self._renderer = Renderer(spec, self.folder.vocabulary, self._renderer.limit)
        self._decoder = decoder_for(self._model, spec, self.folder.vocabulary)
        self._decoder.forget()

    @property
    def adapter(self) -> AdapterVersion | None:
        """The adapter in use."""
        return self._adapter

    def render(self, parts: PromptInput) -> Prompt:
        """The prompt for these parts."""
        return self._renderer.render(parts)

    def generate(
        self,
        prompt: Prompt,
        limits: Limits,
        cancelled: Cancelled = never,
        drafts: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Generation:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with _as_problem():
            return self._decoder.generate(prompt, limits, cancelled, drafts, progress)

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled: Cancelled = never
    ) -> list[Generation]:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with _as_problem():
            return self._decoder.alternatives(prompt, limits, count, cancelled)

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled: Cancelled = never) -> list[float] | None:
        """See :class:`~lsp_server.backends.base.Backend`."""
        with _as_problem():
            return self._decoder.score(prompt, texts, cancelled)

    def set_adapter(self, version: AdapterVersion | None) -> None:
        """Use a verified adapter, in place of the one before; None goes back to the bare base.

        It is merged into the base. Every changed matrix is computed anew from the base's file, so nothing drifts. All
        are computed and checked before the first one is replaced: a bad adapter leaves the previous one in place.

        :raises BackendProblem: the adapter holds NaN or infinite numbers, or memory does not suffice.
        """
        with _as_problem():
            if self._beside is not None:
                self._beside.set(version)
            else:
                changed = {*(self._adapter.pairs if self._adapter else ()), *(version.pairs if version else ())}
                for module, weight in self._merged(sorted(changed), version).items():
                    self._module.get_submodule(module).weight.data.copy_(weight)
            self._adapter = version
            self._decoder.forget()

    def close(self) -> None:
        """Free the model."""
        del self._decoder, self._model, self._module, self._beside
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _load(self) -> Any:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when transformers is imported
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
        lesser: dict[str, Any] = {}
        if self._bits < WHOLE:
            lesser = {"quantization_config": quantization(self._bits, self._dtype), "device_map": {"": self._device}}
        with _as_problem():
            module = AutoModelForCausalLM.from_pretrained(
                self.folder.path,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=self._dtype,
                attn_implementation="sdpa",
                **lesser,
            )
            module = module.eval().requires_grad_(False)
            return module if lesser else module.to(self._device)

    def _merged(self, modules: Sequence[str], version: AdapterVersion | None) -> dict[str, torch.Tensor]:
        """The matrices of ``modules`` with ``version`` on them, on the CPU, computed in float32."""
        out: dict[str, torch.Tensor] = {}
        pairs = version.pairs if version else {}
        for module in modules:
            weight = self._base_tensor(f"{module}.weight").float()
            if version and module in pairs:
                with safe_open(version.weights, "pt") as file:
                    a, b = (file.get_tensor(name).float() for name in pairs[module])
                weight += (b @ a) * version.scale
                if not torch.isfinite(weight).all():
                    raise refused(version)
            out[module] = weight.to(self._dtype)
        return out

    def _base_tensor(self, name: str) -> torch.Tensor:
        for path in self.folder.weights:
            with safe_open(path, "pt") as file:
                if name in file.keys():  # noqa: SIM118 - not a dictionary
                    tensor: torch.Tensor = file.get_tensor(name)
                    return tensor
        raise BackendProblem(f"the base has no tensor {name}", "fetch the model folder again")


def _computing(module: Any, context: int, *, whole: bool) -> Model:
    if whole and torch_llama.supports(module.config):
        return torch_llama.LeanLlama(module, context)
    from lsp_server.backends.torch_generic import TransformersModel

    return TransformersModel(module, context)


@contextmanager
def _as_problem() -> Iterator[None]:
    """Turn what torch raises into a sentence for people; a BackendProblem passes unchanged."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise BackendProblem("the GPU has no memory left for the model", "use a smaller base or context") from error
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        if "CUDA" in str(error):
            raise BackendProblem("the GPU failed", "restart the server; see the driver's log") from error
        raise BackendProblem(f"the model failed ({str(error)[:200]})", "check the model folder") from error
