"""The local model on torch: transformers loads it, Ondol's decode loop runs it, the team's adapter is merged into it.

Importing this module imports torch and transformers (seconds), so only the model's own thread does it. Weights are read
from safetensors only, no code of a model's folder is run, and nothing is fetched.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from lsp_server.backends import torch_llama
from lsp_server.backends.decoding import Model
from lsp_server.backends.local_backend import LocalBackend, context_of
from lsp_server.backends.torch_quantized import UNQUANTIZED, SeparateAdapter, quantization
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion, broken_numbers
from lsp_server.weights.base_model import ModelFolder, open_folder


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


class TorchBackend(LocalBackend):
    """A base on torch. Its adapter is merged into the base, or computed separately where the base is quantized.

    :param limit: tokens a prompt may have; less where the model's context is smaller.
    :param bits: of the base's matrices: 16 (as ``dtype`` says), 8 or 4.
    :raises BackendProblem: the folder is refused, or memory does not suffice.
    """

    def __init__(
        self,
        base: Path | ModelFolder,
        limit: int = 2048,
        device: str = "auto",
        dtype: torch.dtype | None = None,
        threads: int | None = None,
        bits: int = UNQUANTIZED,
    ) -> None:
        self.folder = base if isinstance(base, ModelFolder) else open_folder(base)
        if not self.folder.weights:
            raise BackendProblem(
                f"{self.folder.path} holds GGUF only", "install llama-cpp-python, or fetch the safetensors weights"
            )
        torch.set_num_threads(threads or max(1, (os.cpu_count() or 2) - 1))
        self._device = pick_device(device)
        self._dtype = dtype or pick_dtype(self._device)
        self._bits = bits
        self._module = self._load()
        self._separate = SeparateAdapter(self._module) if bits < UNQUANTIZED else None
        number = str(self._dtype).removeprefix("torch.") if bits == UNQUANTIZED else f"{bits} bits"
        model = _computing(self._module, context_of(self.folder, limit), whole=bits == UNQUANTIZED)
        super().__init__(self.folder, model, limit, f"torch, {self._device}, {number}")

    def set_adapter(self, version: AdapterVersion | None) -> None:
        """Set a verified adapter in place of the previous one; None for the bare base.

        Every changed matrix is computed again from the base's file, so rounding errors do not add up. All matrices are
        computed and checked before the first one is replaced: a bad adapter leaves the previous one in place.

        :raises BackendProblem: the adapter holds NaN or infinite numbers, or memory does not suffice.
        """
        with _as_problem():
            if self._separate is not None:
                self._separate.set(version)
            else:
                changed = {*(self.adapter.pairs if self.adapter else ()), *(version.pairs if version else ())}
                for module, weight in self._merged(sorted(changed), version).items():
                    self._module.get_submodule(module).weight.data.copy_(weight)
            self.adapter = version
            self._decoder.forget()

    def close(self) -> None:
        """Free the model."""
        del self._decoder, self._model, self._module, self._separate
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _explained(self) -> AbstractContextManager[None]:
        return _as_problem()

    def _load(self) -> Any:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when transformers is imported
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call,unused-ignore]
        lesser: dict[str, Any] = {}
        if self._bits < UNQUANTIZED:
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
        """The matrices of ``modules`` with an adapter merged in, on the CPU, computed in float32."""
        out: dict[str, torch.Tensor] = {}
        pairs = version.pairs if version else {}
        for module in modules:
            weight = self._base_tensor(f"{module}.weight").float()
            if version and module in pairs:
                with safe_open(version.weights, "pt") as file:
                    a, b = (file.get_tensor(name).float() for name in pairs[module])
                weight += (b @ a) * version.scale
                if not torch.isfinite(weight).all():
                    raise broken_numbers(version)
            out[module] = weight.to(self._dtype)
        return out

    def _base_tensor(self, name: str) -> torch.Tensor:
        for path in self.folder.weights:
            with safe_open(path, "pt") as file:
                names = set(file.keys())  # the file itself is no container
                if name in names:
                    tensor: torch.Tensor = file.get_tensor(name)
                    return tensor
        raise BackendProblem(f"the base has no tensor {name}", "fetch the model folder again")


def _computing(module: Any, context: int, *, whole: bool) -> Model:
    """The forward pass for a model: Ondol's own where it supports the model and no matrix is quantized."""
    if whole and torch_llama.supports(module.config):
        return torch_llama.TorchLlama(module, context)
    from lsp_server.backends.torch_generic import TorchGenericModel

    return TorchGenericModel(module, context)


@contextmanager
def _as_problem() -> Iterator[None]:
    """Turn torch's errors into a :class:`BackendProblem`."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        raise BackendProblem("the GPU has no memory left for the model", "use a smaller base or context") from error
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        if "CUDA" in str(error):
            raise BackendProblem("the GPU failed", "restart the server; see the driver's log") from error
        raise BackendProblem(f"the model failed ({str(error)[:200]})", "check the model folder") from error
