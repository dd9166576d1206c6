"""Any causal model of transformers under our decode loop, with transformers' own forward pass and growing cache.

For models that ``torch_llama`` does not compute (StarCoder2, sliding windows, quantized matrices). Knows no prompts.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from lsp_server.backends.decoding import BEST
from lsp_server.backends.torch_llama import likeliest, masses_of


class TorchGenericModel:
    """The :class:`~lsp_server.backends.decoding.Model` of a transformers ``*ForCausalLM``."""

    def __init__(self, module: Any, context: int) -> None:
        self._module = module
        self._context = context
        self._cache: Any = DynamicCache()  # without the config: layers that can always be cropped
        self._device = module.device

    @property
    def context(self) -> int:
        """Tokens the cache can hold."""
        return self._context

    def keep(self, length: int) -> None:
        """Forget everything after the first ``length`` tokens."""
        have = self._cache.get_seq_length()
        if length == 0:
            self._cache = DynamicCache()
        elif length < have:
            self._cache.crop(length - have)

    def feed(self, tokens: Sequence[int], last: int) -> tuple[list[list[int]], list[list[float]]]:
        """Append tokens; returns the likeliest next ids and their log-probabilities at the ``last`` final positions."""
        self._predicted = self._log_probabilities(tokens, last)
        values, indices = torch.topk(self._predicted, BEST, dim=-1)
        return indices.tolist(), values.tolist()

    def among(self, position: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        """The likeliest of the given ids at a position of the last feed, and their log-probabilities among these."""
        return likeliest(self._predicted[position], ids)

    def masses(self, position: int, groups: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """For each group of ids the log-probability that the token at a position of the last feed is one of them."""
        return masses_of(self._predicted[position], groups, given)

    def state(self) -> None:
        """Return None: caches of transformers are not copied."""

    def restore(self, state: Any, tokens: Sequence[int]) -> None:
        """Do nothing: there are no states."""

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        """Score the continuations one after the other: the general cache cannot hold several at once."""
        start = self._cache.get_seq_length()
        out = []
        for continuation in continuations:
            fed = [token, *continuation[:-1]]
            if start + len(fed) > self._context:
                out.append(float("-inf"))
                continue
            chances = self._log_probabilities(fed, len(fed))
            mass = float(torch.logsumexp(chances[0, list(given)], dim=-1)) if given and continuation else 0.0
            out.append(float(sum(chances[i, t] for i, t in enumerate(continuation))) - mass)
            self.keep(start)
        return out

    def _log_probabilities(self, tokens: Sequence[int], last: int) -> torch.Tensor:
        with torch.inference_mode():
            ids = torch.tensor([list(tokens)], device=self._device)
            result = self._module(input_ids=ids, past_key_values=self._cache, use_cache=True, logits_to_keep=last)
            return torch.log_softmax(result.logits[0].float(), dim=-1)
