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
import triton.language as tl
from torch import Tensor
from torch.nn import functional

WIDEST: Final = 16
"""Tokens of the longest step."""

_LOG2_E: Final = 1.4426950408889634


@triton.jit
def _products(
    x_ptr, gain_ptr, w_ptr, first, second, rows_ok, eps,
    K: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, NORM: tl.constexpr, TWO: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Multiply the rows ``first`` (and ``second``) of a matrix with a token's vector; float32 of shape (BN,)."""
    square = 0.0
    one = tl.zeros((BN, BK), tl.float32)
    two = tl.zeros((BN, BK), tl.float32)
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)
        k_ok = k < K
        w_ok = rows_ok[:, None] & k_ok[None, :]
        w = tl.load(w_ptr + first.to(tl.int64)[:, None] * K + k[None, :], mask=w_ok, other=0.0)
        if TWO:
            w2 = tl.load(w_ptr + second.to(tl.int64)[:, None] * K + k[None, :], mask=w_ok, other=0.0)
        if EARLY:
            tl.extra.cuda.gdc_wait()
        x = tl.load(x_ptr + k, mask=k_ok, other=0.0).to(tl.float32)
        if NORM:
            square += tl.sum(x * x, axis=0)
            x = x * tl.load(gain_ptr + k, mask=k_ok, other=0.0).to(tl.float32)
        one += w.to(tl.float32) * x[None, :]
        if TWO:
            two += w2.to(tl.float32) * x[None, :]
    first_sum = tl.sum(one, axis=1)
    second_sum = tl.sum(two, axis=1)
    if NORM:
        scale = tl.rsqrt(square / K + eps)
        first_sum = first_sum * scale
        second_sum = second_sum * scale
    return first_sum, second_sum


@triton.jit
def _turned_and_stored(
    one, two, head, column, place, token, cos_ptr, sin_ptr, q_ptr, cache_ptr, count, context,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """Rotate both halves of a head's numbers, and put them where the attention reads them."""
    if head < HEADS + GROUPS:
        turn = place * 2 * HALF + column
        cos1 = tl.load(cos_ptr + turn).to(tl.float32)
        cos2 = tl.load(cos_ptr + turn + HALF).to(tl.float32)
        sin1 = tl.load(sin_ptr + turn).to(tl.float32)
        sin2 = tl.load(sin_ptr + turn + HALF).to(tl.float32)
        turned = one * cos1 + two * sin1
        two = two * cos2 + one * sin2
        one = turned
    if head < HEADS:
        target = q_ptr + (head * count + token) * 2 * HALF + column
    else:
        target = cache_ptr + ((head - HEADS).to(tl.int64) * context + place) * 2 * HALF + column
    tl.store(target, one.to(q_ptr.dtype.element_ty))
    tl.store(target + HALF, two.to(q_ptr.dtype.element_ty))


@triton.jit
def _queries_keys_values(
    x_ptr, gain_ptr, w_ptr, bias_ptr, cos_ptr, sin_ptr, start_ptr, q_ptr, cache_ptr, eps, context,
    K: tl.constexpr, HEADS: tl.constexpr, GROUPS: tl.constexpr, HALF: tl.constexpr,
    BN: tl.constexpr, BK: tl.constexpr, BIAS: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Norm, product and rotation of one token; queries go to ``q`` (heads, 1, size), keys and values into the cache."""
    per_head: tl.constexpr = HALF // BN
    head = tl.program_id(0) // per_head
    column = (tl.program_id(0) % per_head) * BN + tl.arange(0, BN)
    first = head * 2 * HALF + column
    one, two = _products(
        x_ptr, gain_ptr, w_ptr, first, first + HALF, column < HALF, eps, K, BN, BK, NORM=True, TWO=True, EARLY=EARLY
    )
    if BIAS:
        one += tl.load(bias_ptr + first).to(tl.float32)
        two += tl.load(bias_ptr + first + HALF).to(tl.float32)
    place = tl.load(start_ptr)
    _turned_and_stored(
        one, two, head, column, place, 0, cos_ptr, sin_ptr, q_ptr, cache_ptr, 1, context, HEADS, GROUPS, HALF
    )


@triton.jit
def _turned(
    joined_ptr, cos_ptr, sin_ptr, start_ptr, q_ptr, cache_ptr, count, context,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, HALF: tl.constexpr,
):  # fmt: skip
    """Rotation of several tokens whose products are in ``joined`` (tokens, heads and groups, size)."""
    head, token = tl.program_id(0), tl.program_id(1)
    column = tl.arange(0, HALF)
    source = joined_ptr + (token * (HEADS + 2 * GROUPS) + head) * 2 * HALF + column
    one = tl.load(source).to(tl.float32)
    two = tl.load(source + HALF).to(tl.float32)
    place = tl.load(start_ptr) + token
    _turned_and_stored(
        one, two, head, column, place, token, cos_ptr, sin_ptr, q_ptr, cache_ptr, count, context, HEADS, GROUPS, HALF
    )


@triton.jit
def _attention_part(
    q_ptr, cache_ptr, start_ptr, mixed_ptr, most_ptr, sum_ptr, scale, count, context,
    HEADS: tl.constexpr, GROUPS: tl.constexpr, SIZE: tl.constexpr, PARTS: tl.constexpr,
    QUERIES: tl.constexpr, BT: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """The attention of one group of heads to one part of the cache, with the logarithms to put the parts together."""
    group, part = tl.program_id(0), tl.program_id(1)
    rows = tl.arange(0, QUERIES)
    d = tl.arange(0, SIZE)
    start = tl.load(start_ptr)
    total = start + count
    length = tl.cdiv(tl.cdiv(total, PARTS), BT) * BT
    low = part * length
    high = tl.minimum(low + length, total)
    real = rows < (HEADS // GROUPS) * count
    at = group * (HEADS // GROUPS) * count + rows
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    q = tl.load(q_ptr + at[:, None] * SIZE + d[None, :], mask=real[:, None], other=0.0)
    most = tl.full((QUERIES,), -1e30, tl.float32)
    total_weight = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, SIZE), tl.float32)
    keys = cache_ptr + group.to(tl.int64) * context * SIZE
    values = cache_ptr + (group + GROUPS).to(tl.int64) * context * SIZE
    for begin in range(low, high, BT):
        t = begin + tl.arange(0, BT)
        cells = t[:, None] * SIZE + d[None, :]
        key = tl.load(keys + cells, mask=(t < high)[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(key)) * scale
        seen = (t[None, :] <= start + rows[:, None] % count) & (t < high)[None, :]
        scores = tl.where(seen, scores, -1e30)
        now = tl.maximum(most, tl.max(scores, axis=1))
        weights = tl.where(seen, tl.exp2(scores - now[:, None]), 0.0)
        shrink = tl.exp2(most - now)
        total_weight = total_weight * shrink + tl.sum(weights, axis=1)
        value = tl.load(values + cells, mask=(t < high)[:, None], other=0.0)
        mixed = tl.dot(weights.to(value.dtype), value, mixed * shrink[:, None])
        most = now
    cell = part * HEADS * count + at
    tl.store(most_ptr + cell, most, mask=real)
    tl.store(sum_ptr + cell, total_weight, mask=real)
    tl.store(mixed_ptr + cell[:, None] * SIZE + d[None, :], mixed, mask=real[:, None])


@triton.jit
def _attention_whole(
    mixed_ptr, most_ptr, sum_ptr, out_ptr, count,
    HEADS: tl.constexpr, SIZE: tl.constexpr, PARTS: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Put the parts of a head's attention together; ``out`` has the shape (tokens, heads, size)."""
    row = tl.program_id(0)
    parts = tl.arange(0, PARTS)
    cell = parts * HEADS * count + row
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    most = tl.load(most_ptr + cell)
    share = tl.exp2(most - tl.max(most, axis=0))
    whole = tl.sum(tl.load(sum_ptr + cell) * share, axis=0)
    d = tl.arange(0, SIZE)
    mixed = tl.sum(tl.load(mixed_ptr + cell[:, None] * SIZE + d[None, :]) * share[:, None], axis=0) / whole
    head, m = row // count, row % count
    tl.store(out_ptr + (m * HEADS + head) * SIZE + d, mixed.to(out_ptr.dtype.element_ty))


@triton.jit
def _gated(
    x_ptr, gain_ptr, w_ptr, bias_ptr, out_ptr, eps,
    K: tl.constexpr, INNER: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, BIAS: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Norm, both products of the feed-forward part, and silu(gate) * up, of one token."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < INNER
    gate, up = _products(x_ptr, gain_ptr, w_ptr, row, row + INNER, ok, eps, K, BN, BK, NORM=True, TWO=True, EARLY=EARLY)
    if BIAS:
        gate += tl.load(bias_ptr + row, mask=ok, other=0.0).to(tl.float32)
        up += tl.load(bias_ptr + row + INNER, mask=ok, other=0.0).to(tl.float32)
    done = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + row, done.to(out_ptr.dtype.element_ty), mask=ok)


@triton.jit
def _added(
    y_ptr, w_ptr, bias_ptr, x_ptr, rows,
    K: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, BIAS: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """Add the product of ``y`` and a matrix to ``x``, in place."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < rows
    found, _ = _products(y_ptr, y_ptr, w_ptr, row, row, ok, 0.0, K, BN, BK, NORM=False, TWO=False, EARLY=EARLY)
    if BIAS:
        found += tl.load(bias_ptr + row, mask=ok, other=0.0).to(tl.float32)
    found += tl.load(x_ptr + row, mask=ok, other=0.0).to(tl.float32)
    tl.store(x_ptr + row, found.to(x_ptr.dtype.element_ty), mask=ok)


@triton.jit
def _scored(
    x_ptr, gain_ptr, w_ptr, out_ptr, eps, rows,
    K: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    """The last norm and the output matrix of one token; ``out`` is float32."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < rows
    found, _ = _products(x_ptr, gain_ptr, w_ptr, row, row, ok, eps, K, BN, BK, NORM=True, TWO=False, EARLY=EARLY)
    tl.store(out_ptr + row, found, mask=ok)


class FusedStep:
    """A step of ``width`` tokens over the weights, the cache and the rotations of a ``TorchLlama``.

    :param model: its layers, matrices and tables are read where they are, without a copy.
    :param early: kernels start before the one ahead has ended; needs a card of compute capability 9 or newer.
    """

    def __init__(self, model: Any, width: int, *, early: bool) -> None:
        self._model, self._width, self._early = model, width, early
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
            _queries_keys_values[((model._heads + 2 * model._groups) * (half // rows),)](
                x, layer.attention_norm, layer.qkv, layer.qkv_bias, model._cos, model._sin, start, self._q, cache,
                model._eps, model._context,
                K=self._hidden, HEADS=model._heads, GROUPS=model._groups, HALF=half, BIAS=layer.qkv_bias is not None,
                **tile,
            )  # fmt: skip
            self._attend(cache, start)
            self._add(self._attended, layer.out, layer.out_bias, x)
            _gated[(triton.cdiv(self._inner, rows),)](
                x, layer.mlp_norm, layer.gate_up, layer.gate_up_bias, self._gates, model._eps,
                K=self._hidden, INNER=self._inner, BIAS=layer.gate_up_bias is not None, **tile,
            )  # fmt: skip
            self._add(self._gates, layer.down, layer.down_bias, x)
        count = model._head.shape[0]
        _scored[(triton.cdiv(count, rows),)](
            x, model._norm, model._head, self._logits, model._eps, count, K=self._hidden, **tile
        )
        return self._logits

    def _several(self, x: Tensor, start: Tensor) -> Tensor:
        model = self._model
        norm = functional.rms_norm
        for layer, cache in zip(model._layers, model._cache, strict=True):
            h = norm(x, layer.attention_norm.shape, layer.attention_norm, model._eps)
            _turned[(model._heads + 2 * model._groups, self._width)](
                functional.linear(h, layer.qkv, layer.qkv_bias), model._cos, model._sin, start, self._q, cache,
                self._width, model._context,
                HEADS=model._heads, GROUPS=model._groups, HALF=model._size // 2, num_warps=1,
            )  # fmt: skip
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
        _attention_part[(groups, self._parts)](
            self._q, cache, start, self._mixed, self._most, self._sum, size**-0.5 * _LOG2_E, width, model._context,
            HEADS=heads, GROUPS=groups, SIZE=size, PARTS=self._parts, QUERIES=self._queries, BT=64 if size < 256 else 32,
            num_warps=4, **launch,
        )  # fmt: skip
        _attention_whole[(heads * width,)](
            self._mixed, self._most, self._sum, self._attended, width,
            HEADS=heads, SIZE=size, PARTS=self._parts, num_warps=1, **launch,
        )  # fmt: skip

    def _add(self, y: Tensor, matrix: Tensor, bias: Tensor | None, x: Tensor) -> None:
        rows, columns = matrix.shape
        _added[(triton.cdiv(rows, 2),)](
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
