"""Turns samples into token ids: the prompt that the server would have sent at that cursor, the middle, the end token.

The server's own context builder and renderer make the prompt, so the two cannot differ. A share of the samples gets no
context or unrelated context, which teaches the model that context can be missing or useless.
"""

import random
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Final

from finetune.dataset.samples import DOCUMENT, RawSample
from indexer.prompt.renderer import ContextPiece, PromptInput, Renderer
from lsp_server.backends.base import RESERVE
from lsp_server.model.factory import PROMPT_TOKENS
from lsp_server.model.prompt_context import IndexSource, PromptContextBuilder
from lsp_server.types import Document
from lsp_server.weights.base_model import ModelFolder

DOCUMENT_WEIGHT: Final = 0.1
"""Loss weight of a document's token: a document has about a hundred times as many tokens as a middle."""

_REMEMBERED = 64
LEAST_PROMPT: Final = 64
"""A prompt may be shortened to this number of tokens to make room for a long middle."""

TOO_LONG: Final = "sample: a middle too long for the model's context"


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample as training reads it.

    :param weights: runs of (number of tokens, loss weight); training replaces weight 0 by ``prompt_loss_weight``.
    :param context: ``found``, ``none``, ``other`` (unrelated context), or the builder's reason for having none.
    :param sources: paths that the context came from.
    """

    ids: tuple[int, ...]
    weights: tuple[tuple[int, float], ...]
    raw: RawSample
    context: str
    sources: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return one line of a shard."""
        raw = self.raw
        return {
            "ids": self.ids,
            "weights": self.weights,
            "kind": raw.kind,
            "context": self.context,
            "path": raw.path.encode("utf-8", "replace").decode(),
            "commit": raw.commit,
        }


class Prompts:
    """Writes the samples for one base.

    :param repository: name of the repository in prompts.
    :param max_tokens: longest sample; the base's context can make it shorter.
    """

    def __init__(self, base: ModelFolder, repository: str, max_tokens: int, distractor_share: float, seed: int) -> None:
        self._base = base
        self._limit = min(max_tokens, base.context)
        longest = max(16, min(self._limit - RESERVE, PROMPT_TOKENS))
        self._renderer = Renderer(base.spec, base.vocabulary, longest)
        self._repository = repository
        self._builder = PromptContextBuilder(None, repository)
        self._without_context = PromptContextBuilder(None, repository)
        self._distractor_share = distractor_share
        self._rng = random.Random(f"{seed}:context")
        self._others: deque[tuple[ContextPiece, ...]] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def set_index(self, index: Any) -> None:
        """Take context from this index from now on."""
        self._builder.set_source(IndexSource(index))
        self._others.clear()

    def sample(self, raw: RawSample) -> Sample | str:
        """Return the sample with its prompt, or the reason why there is none."""
        if raw.kind == DOCUMENT:
            return self._document(raw)
        parts, how = self._parts(raw)
        ids, target = self._renderer.training(parts, raw.middle)
        if len(ids) > self._limit:  # a long middle: its prompt is shortened, as for a model with less context
            room = self._limit - (len(ids) - target)
            if room < LEAST_PROMPT:
                return TOO_LONG
            ids, target = Renderer(self._base.spec, self._base.vocabulary, room).training(parts, raw.middle)
            if len(ids) > self._limit:
                return TOO_LONG
        weights = ((target, 0.0), (len(ids) - target, 1.0))
        return Sample(tuple(ids), weights, raw, how, tuple(piece.path for piece in parts.context))

    def _parts(self, raw: RawSample) -> tuple[PromptInput, str]:
        """Return the parts of the prompt as the server would choose them, or with no or unrelated context."""
        self._count += 1
        # Every document gets another name: for a known one the builder would keep its earlier choice.
        uri = f"sample:///{self._count}"
        text, offset = raw.prefix + raw.suffix, raw.start
        document = Document(uri, raw.path, raw.language, 1, text)
        draw = self._rng.random()
        if draw >= self._distractor_share:
            found = self._builder.build(document, offset, None)
            # Other parts of the file itself are as new as its commit, and may be too new for the next sample.
            away = tuple(piece for piece in found.parts.context if piece.path != raw.path)
            if away:
                self._others.append(away)
            return found.parts, found.reason
        parts = self._without_context.build(document, offset, None).parts
        if draw < self._distractor_share / 2 and self._others:
            pieces = tuple(piece for piece in self._rng.choice(self._others) if piece.path != raw.path)
            return replace(parts, context=pieces), "other" if pieces else "none"
        return parts, "none"

    def _document(self, raw: RawSample) -> Sample:
        """Return a document sample, cut after the last line that fits."""
        text, whole = raw.middle, raw.whole
        ids = self._renderer.document(raw.path, text, whole=whole)
        while len(ids) > self._limit:
            shorter = text[: len(text) * self._limit // len(ids)]
            cut = shorter.rfind("\n") + 1
            text, whole = shorter[:cut] if cut else shorter[: max(1, len(shorter) - 1)], False
            ids = self._renderer.document(raw.path, text, whole=whole)
        return Sample(tuple(ids), ((len(ids), DOCUMENT_WEIGHT),), raw, "none")
