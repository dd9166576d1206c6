"""A LLaMA forward pass for one user who types: its cache is cut and extended in place.

It takes its weights from a loaded transformers model without a copy: query, key and value matrices are joined, and the
model's own parameters become views of the joined matrix. It covers the features of Llama, Mistral and Qwen2: grouped
heads, biases, tied embeddings, every rope scaling of transformers. Other models run under ``torch_generic``.
``benchmarks/bench_model.py`` measures it on a CPU against transformers' own forward pass, and
``benchmarks/bench_gpu.py`` on a GPU. There a few tokens are one recorded step: a CUDA graph over a static cache, of the
kernels that ``fused_step`` launches where Triton can build them, else of torch's own.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lsp_server.backends.decoding import BEST

MODEL_TYPES = frozenset({"llama", "mistral", "qwen2"})
_FEW = 16
"""Up to this many queries, grouped products beat scaled_dot_product_attention on a CPU; a prompt of 445 tokens takes
half the time with the latter."""

_GRAPH_WIDTHS = (1, 5, 13)  # one token, a short draft, the longest draft

_SLICES = 32
"""On a GPU the likeliest tokens are first looked for in this many slices of the vocabulary, side by side."""

_log = logging.getLogger(__name__)


def supports(config: Any) -> bool:
    """Whether a transformers config describes a model this forward pass computes exactly."""
    sliding = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    act = getattr(config, "hidden_act", "") in ("silu", "swish")
    return config.model_type in MODEL_TYPES and act and not (config.model_type != "llama" and sliding)


def likeliest(logits: Tensor, ids: Sequence[int]) -> tuple[list[int], list[float]]:
    """The ``BEST`` likeliest of the given ids at one position, and their log-probabilities among these.

    :param logits: float ``(vocabulary,)``.
    """
    with torch.inference_mode():
        chosen = torch.log_softmax(logits[torch.tensor(ids, device=logits.device)].float(), dim=-1)
        values, order = torch.topk(chosen, min(BEST, len(ids)), dim=-1)
    return [ids[at] for at in order.tolist()], values.tolist()


def masses_of(logits: Tensor, groups: Sequence[Sequence[int]], given: Sequence[int]) -> list[float]:
    """For each group of ids the log-probability, at one position, that the next token is one of them.

    :param logits: float ``(vocabulary,)``. :param given: the ids that it is restricted to; empty for no restriction.
    """
    with torch.inference_mode():
        row = logits.float()
        whole = torch.logsumexp(row[torch.tensor(given, device=row.device)] if given else row, dim=-1)
        found = [torch.logsumexp(row[torch.tensor(list(group), device=row.device)], dim=-1) for group in groups]
        return (torch.stack(found) - whole).tolist() if found else []


def _best(logits: Tensor) -> Tensor:
    """The ``BEST`` likeliest ids of each position and their log-probabilities, side by side: one copy to the CPU.

    :param logits: (positions, vocabulary). :returns: float64 ``(positions, 2 * BEST)``.
    """
    scores = logits.float()
    count, size = scores.shape
    if scores.is_cuda and size % _SLICES == 0:
        values, indices = torch.topk(scores.view(count, _SLICES, -1), BEST, dim=-1)
        indices = indices + torch.arange(_SLICES, device=scores.device)[:, None] * (size // _SLICES)
        values, order = torch.topk(values.flatten(1), BEST, dim=-1)
        indices = indices.flatten(1).gather(1, order)
    else:
        values, indices = torch.topk(scores, BEST, dim=-1)
    chances = values - torch.logsumexp(scores, dim=-1, keepdim=True)
    return torch.cat([indices.double(), chances.double()], dim=-1)


class _Layer:
    """Weights of one layer. q, k, v are joined, and gate, up: a token costs four products instead of seven."""

    def __init__(self, module: Any) -> None:
        attention, mlp = module.self_attn, module.mlp
        self.attention_norm, self.mlp_norm = module.input_layernorm.weight, module.post_attention_layernorm.weight
        self.qkv, self.qkv_bias = _join(attention.q_proj, attention.k_proj, attention.v_proj)
        self.out, self.out_bias = attention.o_proj.weight, attention.o_proj.bias
        self.gate_up, self.gate_up_bias = _join(mlp.gate_proj, mlp.up_proj)
        self.down, self.down_bias = mlp.down_proj.weight, mlp.down_proj.bias


def _join(*modules: Any) -> tuple[Tensor, Tensor | None]:
    """Join the matrices of several linear layers; the layers' own weights become views of the result."""
    joined = torch.cat([m.weight.data for m in modules])
    bias = torch.cat([m.bias.data for m in modules]) if modules[0].bias is not None else None
    at = 0
    for module in modules:
        rows = module.weight.shape[0]
        module.weight.data = joined[at : at + rows]
        if bias is not None:
            module.bias.data = bias[at : at + rows]
        at += rows
    return joined, bias


class TorchLlama:
    """The :class:`~lsp_server.backends.decoding.Model` of LLaMA-shaped weights.

    :param module: a transformers ``*ForCausalLM`` for which :func:`supports` holds, on its device, in evaluation mode.
    :param context: tokens the cache can hold.
    """

    def __init__(self, module: Any, context: int) -> None:
        config = module.config
        self._context = context
        self._embed, self._head = module.model.embed_tokens.weight, module.lm_head.weight
        self._norm, self._eps = module.model.norm.weight, config.rms_norm_eps
        self._layers = [_Layer(layer) for layer in module.model.layers]
        self._heads, self._groups = config.num_attention_heads, config.num_key_value_heads
        self._size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._device, self._dtype = self._embed.device, self._embed.dtype
        if self._device.type == "cuda":
            # cuDNN plans each pair of lengths that it has not seen: on an H100 2,000 tokens took 229 ms instead of 17.
            torch.backends.cuda.enable_cudnn_sdp(False)
        self._cos, self._sin = _rotations(module.model.rotary_emb, context, self._embed)
        shape = (len(self._layers), 2, self._groups, context, self._size)
        self._cache = torch.zeros(shape, dtype=self._dtype, device=self._device)
        self._positions = torch.arange(context, device=self._device)
        self._length = 0
        self._graphs: dict[int, _Graph] = {}

    @property
    def context(self) -> int:
        """Tokens the cache can hold."""
        return self._context

    def keep(self, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        self._length = min(self._length, length)

    def feed(self, tokens: Sequence[int], last: int) -> tuple[list[list[int]], list[list[float]]]:
        """Append tokens; returns the likeliest next ids and their log-probabilities at the ``last`` final positions."""
        count = len(tokens)
        with torch.inference_mode():
            graph = self._graph_for(count)
            if graph is not None and self._length + graph.width <= self._context:
                logits, best = graph.run(tokens, self._length)
                self._predicted, best = logits[count - last : count], best[count - last : count]
            else:
                self._predicted = self._eager(tokens, last)
                best = _best(self._predicted)
            self._length += count
            found = best.tolist()
        return [[int(one) for one in row[:BEST]] for row in found], [row[BEST:] for row in found]

    def among(self, position: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        """The likeliest of the given ids at a position of the last feed, and their log-probabilities among these."""
        return likeliest(self._predicted[position], ids)

    def masses(self, position: int, groups: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """For each group of ids the log-probability that the token at a position of the last feed is one of them."""
        return masses_of(self._predicted[position], groups, given)

    def state(self) -> Tensor:
        """A copy of the cache."""
        return self._cache[..., : self._length, :].clone()

    def restore(self, state: Tensor, tokens: Sequence[int]) -> None:
        """Put a copy of the cache, which holds these tokens, in the place of the cache."""
        self._cache[..., : len(tokens), :] = state
        self._length = len(tokens)

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """Score all continuations in one pass; each attends to the cache, ``token`` and itself."""
        with torch.inference_mode():
            return self._side_by_side(token, continuations, list(given))

    def _side_by_side(self, token: int, continuations: Sequence[Sequence[int]], given: list[int]) -> list[float]:
        flat = [token, *(t for c in continuations for t in c)]
        start, total = self._length, self._length + len(flat)
        if total > self._context:
            half = len(continuations) // 2
            if not half:
                return [float("-inf")] * len(continuations)
            halves = continuations[:half], continuations[half:]
            return [one for part in halves for one in self._side_by_side(token, part, given)]
        positions, owner = [start], [0]
        for number, continuation in enumerate(continuations, start=1):
            positions += range(start + 1, start + 1 + len(continuation))
            owner += [number] * len(continuation)
        own = torch.tensor(owner, device=self._device)
        row = torch.arange(len(flat), device=self._device)
        seen = ((own[:, None] == own[None, :]) | (own[None, :] == 0)) & (row[:, None] >= row[None, :])
        mask = torch.cat([torch.ones(len(flat), start, dtype=torch.bool, device=self._device), seen], dim=1)
        ids = torch.tensor(flat, device=self._device)
        where = torch.tensor(positions, device=self._device)
        hidden = self._layers_over(ids, where, start, total, mask, len(flat))
        chances = torch.log_softmax(functional.linear(hidden, self._head).float(), dim=-1)
        if given:
            chances[0] -= torch.logsumexp(chances[0, given], dim=-1)
        out, at = [], 1
        for continuation in continuations:
            before = [0, *range(at, at + len(continuation) - 1)]
            picked = chances[before, list(continuation)] if continuation else torch.zeros(1)
            out.append(float(picked.sum()))
            at += len(continuation)
        return out

    def _eager(self, tokens: Sequence[int], last: int) -> Tensor:
        count, start = len(tokens), self._length
        total = start + count
        ids = torch.tensor(tokens, device=self._device)
        where = self._positions[start:total]
        mask = None if count == 1 else where[:, None] >= self._positions[None, :total]
        return functional.linear(self._layers_over(ids, where, start, total, mask, last), self._head)

    def _layers_over(
        self, ids: Tensor, where: Tensor, start: int, total: int, mask: Tensor | None, last: int
    ) -> Tensor:
        """Hidden states of the ``last`` final tokens after the final norm.

        Keys and values of all tokens are written to positions ``[start, total)`` of the cache. In the last layer the
        other tokens need only these.
        """
        x = functional.embedding(ids, self._embed)
        cos, sin = self._cos[where], self._sin[where]
        for layer, cache in zip(self._layers, self._cache, strict=True):
            keys, values = cache[0], cache[1]
            q, k, v = self._qkv(layer, x, cos, sin)
            keys[:, start:total], values[:, start:total] = k, v
            if layer is self._layers[-1] and last < len(ids):
                q, x, mask = q[:, -last:], x[-last:], mask if mask is None else mask[-last:]
            x = x + self._attend(layer, q, keys[:, :total], values[:, :total], mask)
            x = x + self._mlp(layer, x)
        return functional.rms_norm(x, self._norm.shape, self._norm, self._eps)

    def _qkv(self, layer: _Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries (heads, n, size), rotated keys and values (groups, n, size)."""
        h = functional.rms_norm(x, layer.attention_norm.shape, layer.attention_norm, self._eps)
        joined = functional.linear(h, layer.qkv, layer.qkv_bias).view(x.shape[0], -1, self._size).transpose(0, 1)
        turned = joined[: self._heads + self._groups]
        turned = turned * cos + turned.roll(self._size // 2, -1) * sin
        return turned[: self._heads], turned[self._heads :], joined[self._heads + self._groups :]

    def _attend(self, layer: _Layer, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        n = q.shape[1]
        if self._device.type == "cpu" and n <= _FEW:
            grouped = q.reshape(self._groups, -1, self._size)
            scores = torch.matmul(grouped, keys.transpose(1, 2)).float() * self._size**-0.5
            if mask is not None:
                scores = scores.view(self._heads, n, -1).masked_fill_(~mask, float("-inf")).view(scores.shape)
            weights = torch.softmax(scores, dim=-1).to(q.dtype)
            mixed = torch.matmul(weights, values).view(self._heads, n, self._size)
        else:
            whole = n == keys.shape[1]  # no token before these: a causal mask saves half of the products
            mixed = functional.scaled_dot_product_attention(
                q[None],
                keys[None],
                values[None],
                attn_mask=None if whole else mask,
                is_causal=whole,
                enable_gqa=self._heads != self._groups,
            )[0]
        return functional.linear(mixed.transpose(0, 1).reshape(n, -1), layer.out, layer.out_bias)

    def _mlp(self, layer: _Layer, x: Tensor) -> Tensor:
        h = functional.rms_norm(x, layer.mlp_norm.shape, layer.mlp_norm, self._eps)
        gate, up = functional.linear(h, layer.gate_up, layer.gate_up_bias).chunk(2, dim=-1)
        return functional.linear(functional.silu(gate) * up, layer.down, layer.down_bias)

    def static_step(self, ids: Tensor, start: Tensor) -> Tensor:
        """Logits of a step of fixed width whose position is data, not shape, so that a CUDA graph can record it.

        :param ids: (width,) token ids.
        :param start: (1,) the first position. The next step overwrites positions after the real tokens before any token
            attends to them.
        """
        where = start + torch.arange(ids.shape[0], device=self._device)
        mask = where[:, None] >= self._positions[None, :]
        x = functional.embedding(ids, self._embed)
        cos, sin = self._cos.index_select(0, where), self._sin.index_select(0, where)
        for layer, cache in zip(self._layers, self._cache, strict=True):
            q, k, v = self._qkv(layer, x, cos, sin)
            cache[0].index_copy_(1, where, k)
            cache[1].index_copy_(1, where, v)
            x = x + self._attend(layer, q, cache[0], cache[1], mask)
            x = x + self._mlp(layer, x)
        x = functional.rms_norm(x, self._norm.shape, self._norm, self._eps)
        return functional.linear(x, self._head)

    def _graph_for(self, count: int) -> "_Graph | None":
        """The recorded step that ``count`` tokens fit into; None on a CPU and for prompts."""
        width = next((w for w in _GRAPH_WIDTHS if count <= w), 0)
        if self._device.type != "cuda" or not width:
            return None
        if width not in self._graphs:
            self._graphs[width] = _Graph(self, width, self._device)
        return self._graphs[width]


class _Graph:
    """One step of fixed width, recorded once and replayed without Python between the kernels."""

    def __init__(self, model: TorchLlama, width: int, device: torch.device) -> None:
        self.width = width
        self._given = torch.zeros(width + 1, dtype=torch.long, device=device)  # the ids, and the first position
        self._typed = torch.zeros(width + 1, dtype=torch.long, pin_memory=True)
        saved = model._cache[:, :, :, :width].clone()  # the warm-up writes to the first positions
        step = _step(model, width, self._given)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                _best(step(self._given[:width], self._given[width:]))
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = step(self._given[:width], self._given[width:])
            self._found = _best(self._logits)
        model._cache[:, :, :, :width] = saved

    def run(self, tokens: Sequence[int], start: int) -> tuple[Tensor, Tensor]:
        """Logits (width, vocabulary) of the recorded step over these tokens, and the likeliest as ``_best`` gives them.

        The caller reads the second before the next run, so the copy from the pinned memory has ended by then.
        """
        self._typed.copy_(torch.tensor([*tokens, *[0] * (self.width - len(tokens)), start]))
        self._given.copy_(self._typed, non_blocking=True)
        self._graph.replay()
        return self._logits, self._found


def _step(model: TorchLlama, width: int, given: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The fastest step of some width that this machine can build."""
    try:
        from lsp_server.backends.fused_step import FusedStep

        if FusedStep.fits(model, width):
            fused = FusedStep(model, width, early=torch.cuda.get_device_capability(given.device) >= (9, 0))
            fused(given[:width], given[width:])
            return fused
    except Exception as error:  # Triton raises its own kinds: it needs a C compiler and a card that it knows
        _log.warning("the model runs on torch's own kernels, at half the speed: Triton failed (%.200s)", error)
    return model.static_step


def _rotations(rotary: Any, context: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (context, size), computed by the model's own rotary module so that any scaling is right.

    The sines of the first half are negated: a rotation then needs only the rolled vector.
    """
    positions = torch.arange(context, device=like.device)[None]
    with torch.no_grad():
        cos, sin = rotary(like, positions)
    half = sin.shape[-1] // 2
    return cos[0].clone(), torch.cat((-sin[0, :, :half], sin[0, :, half:]), dim=-1)
