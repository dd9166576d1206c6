"""Token ids of samples: the prompt that the server would have sent at that cursor, the middle, the end token.

The server's own packer chooses the context and the server's own renderer writes it, so the two cannot differ. A part of
the samples gets no context, or that of another place, to teach that context may be missing or useless.
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
"""In the loss, of a token of a left-to-right document: it has some hundred times as many as a middle."""

_REMEMBERED = 64
TOO_LONG: Final = "sample: longer than the model's context"


@dataclass(frozen=True, slots=True)
class Sample:
    """What training reads.

    :param weights: runs of (tokens, weight in the loss); weight 0 is what ``prompt_loss_weight`` is for.
    :param context: ``found``, ``none``, ``other`` (of another place), or the packer's own reason for having none.
    :param sources: paths that the context came from.
    """

    ids: tuple[int, ...]
    weights: tuple[tuple[int, float], ...]
    draft: RawSample
    context: str
    sources: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """One line of a shard."""
        draft = self.draft
        return {
            "ids": self.ids,
            "weights": self.weights,
            "kind": draft.kind,
            "context": self.context,
            "path": draft.path.encode("utf-8", "replace").decode(),
            "commit": draft.commit,
        }


class Prompts:
    """Writes the samples of one base.

    :param max_tokens: of a sample; a server's longest prompt and answer by default, less where the base's context is.
    :param repository: the name that prompts call the repository by.
    """

    def __init__(self, base: ModelFolder, repository: str, max_tokens: int, distractor_share: float, seed: int) -> None:
        self._limit = min(max_tokens, base.context)
        longest = max(16, min(self._limit - RESERVE, PROMPT_TOKENS))
        self._renderer = Renderer(base.spec, base.vocabulary, longest)
        self._repository = repository
        self._packer = PromptContextBuilder(None, repository)
        self._bare = PromptContextBuilder(None, repository)
        self._distractor_share = distractor_share
        self._rng = random.Random(f"{seed}:context")
        self._others: deque[tuple[ContextPiece, ...]] = deque(maxlen=_REMEMBERED)
        self._count = 0

    def set_index(self, index: Any) -> None:
        """Takes context from another index from now on."""
        self._packer.set_source(IndexSource(index))
        self._others.clear()

    def sample(self, draft: RawSample) -> Sample | str:
        """The sample of a draft, or why there is none."""
        if draft.kind == DOCUMENT:
            return self._document(draft)
        parts, how = self._parts(draft)
        ids, target = self._renderer.training(parts, draft.middle)
        if len(ids) > self._limit:
            return TOO_LONG
        weights = ((target, 0.0), (len(ids) - target, 1.0))
        return Sample(tuple(ids), weights, draft, how, tuple(piece.path for piece in parts.context))

    def _parts(self, draft: RawSample) -> tuple[PromptInput, str]:
        """What the server would have put into the prompt, or, for some, no context or another place's."""
        self._count += 1
        # A name of its own for every document: the packer would keep its choice for a cursor that moves on.
        uri = f"sample:///{self._count}"
        text, offset = draft.prefix + draft.suffix, draft.start
        document = Document(uri, draft.path, draft.language, 1, text)
        draw = self._rng.random()
        if draw >= self._distractor_share:
            packed = self._packer.build(document, offset, None)
            # Far parts of the file itself are as new as its commit, and newer than the next sample may be.
            away = tuple(piece for piece in packed.parts.context if piece.path != draft.path)
            if away:
                self._others.append(away)
            return packed.parts, packed.reason
        parts = self._bare.build(document, offset, None).parts
        if draw < self._distractor_share / 2 and self._others:
            pieces = tuple(piece for piece in self._rng.choice(self._others) if piece.path != draft.path)
            return replace(parts, context=pieces), "other" if pieces else "none"
        return parts, "none"

    def _document(self, draft: RawSample) -> Sample:
        """A stretch of text, cut after the last line that fits."""
        text, whole = draft.middle, draft.whole
        ids = self._renderer.document(draft.path, text, whole=whole)
        while len(ids) > self._limit:
            shorter = text[: len(text) * self._limit // len(ids)]
            cut = shorter.rfind("\n") + 1
            text, whole = shorter[:cut] if cut else shorter[: max(1, len(shorter) - 1)], False
            ids = self._renderer.document(draft.path, text, whole=whole)
        return Sample(tuple(ids), ((len(ids), DOCUMENT_WEIGHT),), draft, "none")
