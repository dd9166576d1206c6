"""A step of a LLaMA in few kernels, written in Triton, for a GPU that writes for one user.

At batch 1 a step is bound by reading the weights, and by the pauses between kernels. For one token, six kernels a layer
each read a matrix once and do all around the product in the same pass: the norm before it, the rotation and the cache
after it, the gate, the residual. A kernel asks for its weights before the one ahead of it has ended (programmatic
dependent launch), and only then waits for the numbers. Several tokens, such as a draft, are multiplied by torch's own
products; attention and rotation are the same kernels.

With 1.3 billion parameters on an H100, a step of torch's own kernels takes 2.3 ms, of which the products are half.
"""

from typing import Any, Final

import torch
import triton
from torch import Tensor
from torch.nn import functional

from lsp_server.backends import gpu_kernels

WIDEST: Final = 16
"""Tokens of the longest step."""

_LOG2_E: Final = 1.4426950408889634


class FusedStep:
    """A step of ``width`` tokens over the weights, the cache and the rotations of a ``TorchLlama``.

    :param model: its layers, matrices and tables are read where they are, without a copy.
    :param early: kernels start before the one ahead has ended; needs a card of compute capability 9 or newer.
    """

    def __init__(self, model: Any, width: int, *, early: bool) -> None:
        self._model, self._width = model, width
        self._launch = {"EARLY": early, **({"launch_pdl": True} if early else {})}
        device, dtype = model._device, model._dtype
        self._hidden = model._embed.shape[1]
        self._inner = model._layers[0].down.shape[1]
        heads, size = model._heads, model._size
        self._parts = max(2, min(16, triton.next_power_of_2(max(1, 128 // model._groups))))
        self._queries = max(16, triton.next_power_of_2(heads // model._groups * width))
        self._q = torch.empty((heads, width, size), dtype=dtype, device=device)
        self._attended = torch.empty((width, heads * size), dtype=dtype, device=device)
        self._gates = torch.empty(self._inner, dtype=dtype, device=device)
        shape = (self._parts, heads, width)
        self._mixed = torch.empty((*shape, size), dtype=torch.float32, device=device)
        self._most, self._sum = (torch.empty(shape, dtype=torch.float32, device=device) for _ in range(2))
        self._logits = torch.empty((1, model._head.shape[0]), dtype=torch.float32, device=device)

    @staticmethod
    def fits(model: Any, width: int) -> bool:
        """Whether the kernels can compute a model's step: half precision, heads of 32, 64, 128 or 256 numbers."""
        return model._dtype in (torch.bfloat16, torch.float16) and model._size in (32, 64, 128, 256) and width <= WIDEST

    def __call__(self, ids: Tensor, start: Tensor) -> Tensor:
        """Return the logits (width, vocabulary) of a step; ``start`` holds the first position, of shape (1,)."""
        x = self._model._embed.index_select(0, ids)
        return self._one(x, start) if self._width == 1 else self._several(x, start)

    def _one(self, x: Tensor, start: Tensor) -> Tensor:
        model, launch = self._model, self._launch
        rows, columns, warps = _tile(self._hidden)
        tile = {"BN": rows, "BK": columns, "num_warps": warps, **launch}
        half = model._size // 2
        for layer, cache in zip(model._layers, model._cache, strict=True):
            gpu_kernels.queries_keys_values[((model._heads + 2 * model._groups) * (half // rows),)](
                x,
                layer.attention_norm,
                layer.qkv,
                layer.qkv_bias,
                model._cos,
                model._sin,
                start,
                self._q,
                cache,
                model._eps,
                model._context,
                K=self._hidden,
                HEADS=model._heads,
                GROUPS=model._groups,
                HALF=half,
                BIAS=layer.qkv_bias is not None,
                **tile,
            )
            self._attend(cache, start)
            self._add(self._attended, layer.out, layer.out_bias, x)
            gpu_kernels.gated[(triton.cdiv(self._inner, rows),)](
                x,
                layer.mlp_norm,
                layer.gate_up,
                layer.gate_up_bias,
                self._gates,
                model._eps,
                K=self._hidden,
                INNER=self._inner,
                BIAS=layer.gate_up_bias is not None,
                **tile,
            )
            self._add(self._gates, layer.down, layer.down_bias, x)
        count = model._head.shape[0]
        gpu_kernels.scored[(triton.cdiv(count, rows),)](
            x, model._norm, model._head, self._logits, model._eps, count, K=self._hidden, **tile
        )
        return self._logits

    def _several(self, x: Tensor, start: Tensor) -> Tensor:
        model = self._model
        norm = functional.rms_norm
        for layer, cache in zip(model._layers, model._cache, strict=True):
            h = norm(x, layer.attention_norm.shape, layer.attention_norm, model._eps)
            gpu_kernels.turned[(model._heads + 2 * model._groups, self._width)](
                functional.linear(h, layer.qkv, layer.qkv_bias),
                model._cos,
                model._sin,
                start,
                self._q,
                cache,
                self._width,
                model._context,
                HEADS=model._heads,
                GROUPS=model._groups,
                HALF=model._size // 2,
                num_warps=1,
            )
            self._attend(cache, start)
            x = _plus(x, self._attended, layer.out, layer.out_bias)
            h = norm(x, layer.mlp_norm.shape, layer.mlp_norm, model._eps)
            gate, up = functional.linear(h, layer.gate_up, layer.gate_up_bias).chunk(2, dim=-1)
            x = _plus(x, functional.silu(gate) * up, layer.down, layer.down_bias)
        return functional.linear(norm(x, model._norm.shape, model._norm, model._eps), model._head)

    def _attend(self, cache: Tensor, start: Tensor) -> None:
        model, width = self._model, self._width
        heads, groups, size = model._heads, model._groups, model._size
        launch = self._launch if width == 1 else {"EARLY": False}
        gpu_kernels.attention_part[(groups, self._parts)](
            self._q,
            cache,
            start,
            self._mixed,
            self._most,
            self._sum,
            size**-0.5 * _LOG2_E,
            width,
            model._context,
            HEADS=heads,
            GROUPS=groups,
            SIZE=size,
            PARTS=self._parts,
            QUERIES=self._queries,
            BT=64 if size < 256 else 32,
            num_warps=4,
            **launch,
        )
        gpu_kernels.attention_whole[(heads * width,)](
            self._mixed,
            self._most,
            self._sum,
            self._attended,
            width,
            HEADS=heads,
            SIZE=size,
            PARTS=self._parts,
            num_warps=1,
            **launch,
        )

    def _add(self, y: Tensor, matrix: Tensor, bias: Tensor | None, x: Tensor) -> None:
        rows, columns = matrix.shape
        gpu_kernels.added[(triton.cdiv(rows, 2),)](
            y, matrix, bias, x, rows, K=columns, BN=2, BK=1024, BIAS=bias is not None, num_warps=4, **self._launch
        )


def _plus(x: Tensor, y: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    added = torch.addmm(x, y, matrix.T)
    return added if bias is None else added + bias


def _tile(columns: int) -> tuple[int, int, int]:
    """Rows and columns of a matrix that a program multiplies at once, and its warps.

    On an H100 one whole row of 2,048 numbers was the fastest of six (17.5 us against 18.6 to 21.6 for the 45 MB of a
    layer's gates), and for long rows two rows of 1,024.
    """
    return (1, triton.next_power_of_2(columns), 4) if columns <= 2048 else (2, 1024, 4)
