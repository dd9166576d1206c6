"""A base in 8 or 4 bits by bitsandbytes, so that a model twice or four times as big fits a card.

Merging an adapter into such a matrix would round it again, so the adapter's products are computed separately, as in
training. Knows nothing of prompts or of folders of models.
"""

import importlib.util
import logging
import os
from collections.abc import Sequence
from typing import Any, Final

import torch
from safetensors import safe_open

from indexer.installation import install_command
from lsp_server.errors import BackendProblem
from lsp_server.weights.adapter_registry import AdapterVersion, broken_numbers

UNQUANTIZED: Final = 16
"""Bits of a base that is not quantized."""


def quantization(bits: int, dtype: torch.dtype) -> Any:
    """The settings by which transformers loads a base: LLM.int8, or QLoRA's NF4 with its constants quantized as well.

    :param bits: 8 or 4.
    :param dtype: of everything that is not quantized.
    :raises BackendProblem: bitsandbytes is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BackendProblem(
            f"a base in {bits} bits needs bitsandbytes",
            f"set base_bits to 16, or run: {install_command('quantized')}",
        )
    os.environ["HF_HUB_OFFLINE"] = "1"  # on some CPUs bitsandbytes would look for a faster kernel there
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it logs the conversion of numbers at every product
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )


class SeparateAdapter:
    """At most one adapter, computed in addition to the matrices of a model."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._hooks: list[Any] = []

    def set(self, version: AdapterVersion | None) -> None:
        """Replace the adapter; a bad one leaves the previous one in place.

        :raises BackendProblem: it holds NaN or infinite numbers.
        """
        fresh = [] if version is None else self._products(version)
        for hook in self._hooks:
            hook.remove()
        self._hooks = [module.register_forward_hook(product) for module, product in fresh]

    def _products(self, version: AdapterVersion) -> Sequence[tuple[Any, "_Product"]]:
        out = []
        with safe_open(version.weights, "pt") as file:
            for name, pair in version.pairs.items():
                a, b = (file.get_tensor(side) for side in pair)
                if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
                    raise broken_numbers(version)
                module = self._module.get_submodule(name)
                out.append((module, _Product(a, b * version.scale, module.weight.device)))
        return out


class _Product:
    """Adds the product of a layer's input and one pair of an adapter's matrices to the layer's output."""

    def __init__(self, a: torch.Tensor, b: torch.Tensor, device: torch.device) -> None:
        self._a, self._b = a.T.to(device), b.T.to(device)

    def __call__(self, module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        added = inputs[0].to(self._a.dtype) @ self._a @ self._b
        return output + added.to(output.dtype)
