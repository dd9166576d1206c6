"""Renders prompts for serving and training alike, in the formats of ``formats``.

A prompt is a list of token ids. Control tokens come from the table and are placed by id; everything else (code, paths,
repository names) is encoded as text and cannot become one. What does not fit is left out from the far ends: whole
context pieces first, then lines far from the cursor. The start of the prefix moves in steps of whole line groups, so
that a keystroke extends the previous prompt instead of shifting it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from indexer.errors import UserError
from indexer.prompt.formats import LEFT_TO_RIGHT, PromptSpec, check
from indexer.prompt.tokenizer import Vocabulary

PROMPT_FORMAT = 3
"""The version of the rendered prompts; an adapter trained with prompts that have changed since is refused."""

_UNCHANGED_SINCE = {LEFT_TO_RIGHT.name: 3}
"""The version since which a prompt spec gives the same prompts: 2, if it is not named here."""

_GRID = 8  # the prefix begins at a line number divisible by this, so its start moves once in 8 lines, not per key
_CHARS_PER_TOKEN = 8  # no code tokenizer averages more; bounds the work on a file of one enormous line
_MIN_PIECE = 24  # a context piece with fewer tokens than this is left out
_MARK, _NAME = r"[!-/:-@\[-^`{-~]", r"\b[A-Za-z_]\w{0,39}"
_BEGUN = re.compile(f" ?(?:{_MARK}{{1,4}}(?:{_NAME})?|{_NAME})\\Z", re.ASCII)
"""The text that the next token may begin with: an unfinished word, with the marks and the space that tokenizers join to
it. Only ASCII, because other letters may take several tokens."""

_MARKS = re.compile(f" ?{_MARK}{{1,8}}\\Z", re.ASCII)
"""Marks that a tokenizer may write as one token with the line break behind them."""

_LONGEST_BREAK = 64  # characters of line breaks and blanks that are held back

_SLOT = re.compile(r"\{(context|path|prefix|suffix|repository|text)\}")


@dataclass(frozen=True, slots=True)
class ContextPiece:
    """Text from elsewhere for the prompt: a chunk that the search found, a definition, a recent edit."""

    path: str
    text: str


_Context = tuple[list[int], tuple[ContextPiece, ...]]
"""Ids of pieces of context, and these pieces as they fit."""


@dataclass(frozen=True, slots=True)
class PromptInput:
    """The parts of a prompt; ``context`` is ordered from the most to the least useful piece."""

    path: str
    prefix: str
    suffix: str
    context: tuple[ContextPiece, ...] = ()
    repository: str = "repository"


def renders_alike(version: object, spec: str) -> bool:
    """Whether the prompts of a version of the format are those of today, for the prompt spec with this name."""
    return isinstance(version, int) and _UNCHANGED_SINCE.get(spec, 2) <= version <= PROMPT_FORMAT


@dataclass(frozen=True, slots=True)
class PromptSize:
    """How large a prompt may be, in tokens.

    :param whole: all of it. :param context: pieces of context. :param suffix: the text behind the cursor.
    """

    whole: int
    context: int
    suffix: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered prompt.

    :param ids: token ids, at most the renderer's limit.
    :param token_healing: text before the cursor that is not in ``ids``; the model has to write it first.
    :param pieces: number of context pieces in it.
    :param counts: tokens per part (``context``, ``suffix``, ``prefix``), for traces.
    :param start: where the text before the cursor begins in it, in characters of that text.
    :param context: the pieces in it, shortened as they are there, the most useful first.
    """

    ids: tuple[int, ...]
    token_healing: str
    pieces: int
    counts: Mapping[str, int]
    start: int = 0
    context: tuple[ContextPiece, ...] = ()


class Renderer:
    """Writes prompts of one spec with one vocabulary.

    :param limit: tokens a prompt may have (the model's context less what it shall write).
    :param heal: hold back what the next token may begin with; False for a model that cannot be made to write it.
    :raises UserError: the vocabulary lacks a token of the spec.
    """

    def __init__(self, spec: PromptSpec, vocabulary: Vocabulary, limit: int, *, heal: bool = True) -> None:
        problem = check(spec, vocabulary)
        if problem:
            raise UserError(f"prompt format {spec.name}: {problem}", "choose another base model")
        self.spec = spec
        self.vocabulary = vocabulary
        self.limit = limit
        self._heal = heal
        self._controls = {name: _known(vocabulary, name) for name in (*spec.controls, spec.end) if name}
        vocabulary.reserve(self._controls.values())
        # Models that have no token for the start of a text have seen the end of another text there.
        self._start = () if vocabulary.eos is None else (vocabulary.eos,)
        self._template = self._split(spec.template)
        self._piece = self._split(spec.piece)
        self._last_context: tuple[tuple[object, int], _Context] = ((), 0), ([], ())

    @property
    def suffix_first(self) -> bool:
        """Whether the text behind the cursor stands before the text that grows with every key, or nowhere."""
        slots = [value for kind, value in self._template if kind == "slot"]
        return "suffix" not in slots or slots.index("suffix") < slots.index("prefix")

    def size(self, whole: int) -> PromptSize:
        """The shares of a prompt of ``whole`` tokens, at most ``limit``."""
        whole = min(whole, self.limit)
        return PromptSize(whole, int(whole * self.spec.context_share), int(whole * self.spec.suffix_share))

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> Prompt:
        """The prompt for a cursor, at most ``limit`` tokens.

        :param size: None for as much as ``limit`` allows.
        """
        prefix, healing = self._split_for_healing(parts.prefix)
        words = {"path": parts.path, "repository": parts.repository}
        frame = len(self._fill(self._template, {**words, "prefix": "", "suffix": ""}, {}))
        room = max(16, min(self.limit, size.whole if size else self.limit) - len(self.vocabulary.bos) - frame)
        shares = size or self.size(room)
        context, pieces = self._same_context(parts.context, shares.context)
        suffix = self._cut_suffix(parts.suffix, shares.suffix)
        lead = self._lead("prefix")
        start = self._prefix_start(lead, prefix, room - len(context) - len(suffix))
        slots = {"context": context, "suffix": suffix}
        ids = self._fill(self._template, {**words, "prefix": prefix[start:]}, slots)
        counts = {"context": len(context), "suffix": len(suffix)}
        counts["prefix"] = len(ids) - frame - len(context) - len(suffix)
        whole = (*self.vocabulary.bos, *ids) or self._start
        return Prompt(whole[: self.limit], healing, len(pieces), counts, start, pieces)

    def _split_for_healing(self, prefix: str) -> tuple[str, str]:
        """Split the prefix where the next token may begin.

        A model that only reads from left to right has never seen a cut between a line break and its indentation, which
        many tokenizers write as one token, nor one between a bracket and its line break, which Llama 3's writes as one.
        """
        body = prefix
        if self._heal and (begun := _BEGUN.search(prefix, max(0, len(prefix) - 46))):
            body = prefix[: begun.start()]
        if not self.spec.heal_spaces:
            return body, prefix[len(body) :]
        body = body.rstrip(" \t")
        if self._heal and body.endswith("\n"):
            last = max(0, len(body) - _LONGEST_BREAK)
            body = body[:last] + body[last:].rstrip()
            if self.vocabulary.joins_line_breaks and (marks := _MARKS.search(body, max(0, len(body) - 9))):
                body = body[: marks.start()]
        return body, prefix[len(body) :]

    def training(self, parts: PromptInput, middle: str) -> tuple[list[int], int]:
        """A training sample (serving prompt, middle, end token) and the index of its first target token."""
        prompt = self.render(parts)
        target = self.vocabulary.encode(prompt.token_healing + middle)
        end = self._controls.get(self.spec.end, self.vocabulary.eos)
        return [*prompt.ids, *target, *([] if end is None else [end])], len(prompt.ids)

    def document(self, path: str, text: str, *, whole: bool) -> list[int]:
        """A file from left to right, in the notation of a context piece.

        :param whole: the file ends where ``text`` ends, so the end token closes it.
        """
        ids = self._fill(self._piece, {"path": path, "text": text}, {})
        end = self._controls.get(self.spec.end, self.vocabulary.eos)
        return [*self.vocabulary.bos, *ids, *([end] if whole and end is not None else [])]

    def _split(self, template: str) -> list[tuple[str, str]]:
        """A template as (kind, value) pairs: ``control``, ``text`` or ``slot``."""
        names = sorted(self._controls, key=len, reverse=True)
        pattern = "|".join([*map(re.escape, names), _SLOT.pattern])
        out: list[tuple[str, str]] = []
        at = 0
        for match in re.finditer(pattern, template):
            if match.start() > at:
                out.append(("text", template[at : match.start()]))
            value = match.group(0)
            out.append(("control", value) if value in self._controls else ("slot", value[1:-1]))
            at = match.end()
        if at < len(template):
            out.append(("text", template[at:]))
        return out

    def _fill(
        self, template: Sequence[tuple[str, str]], words: Mapping[str, str], ready: Mapping[str, Sequence[int]]
    ) -> list[int]:
        """Ids of a template; neighbouring texts are encoded as one, slots in ``ready`` are ids already."""
        out: list[int] = []
        text = ""
        for kind, value in template:
            if kind == "text":
                text += value
            elif kind == "slot" and value not in ready:
                text += words.get(value, "")
            else:
                out.extend(self.vocabulary.encode(text) if text else ())
                text = ""
                out.extend(ready[value] if kind == "slot" else (self._controls[value],))
        out.extend(self.vocabulary.encode(text) if text else ())
        return out

    def _lead(self, slot: str) -> str:
        """The literal text directly before a slot, which is encoded together with it."""
        for before, here in zip([("", ""), *self._template], self._template, strict=False):
            if here == ("slot", slot):
                return before[1] if before[0] == "text" else ""
        return ""

    def _same_context(self, pieces: Sequence[ContextPiece], budget: int) -> _Context:
        """The same as :meth:`_context`; the last result is kept, since the context stays from key to key."""
        asked, last = (tuple(pieces), budget), self._last_context
        if last[0] != asked:
            self._last_context = last = asked, self._context(pieces, budget)
        return last[1]

    def _context(self, pieces: Sequence[ContextPiece], budget: int) -> _Context:
        """As many pieces as fit, the most useful one last (nearest to the cursor), and these pieces as they fit."""
        chosen: list[list[int]] = []
        kept: list[ContextPiece] = []
        for piece in pieces:
            if budget < _MIN_PIECE:
                break
            ids = self._fill(self._piece, {"path": piece.path, "text": piece.text[: budget * _CHARS_PER_TOKEN]}, {})
            fitting = piece
            if len(ids) > budget:
                ids, fitting = self._shortened(piece, budget)
            if ids:
                chosen.append(ids)
                kept.append(fitting)
                budget -= len(ids)
        return [token for ids in reversed(chosen) for token in ids], tuple(kept)

    def _shortened(self, piece: ContextPiece, budget: int) -> tuple[list[int], ContextPiece]:
        """The first whole lines of a piece that fit, or nothing."""
        lines = piece.text[: budget * _CHARS_PER_TOKEN].splitlines(keepends=True)
        while len(lines) > 1:
            lines = lines[: max(1, len(lines) * 3 // 4)]
            ids = self._fill(self._piece, {"path": piece.path, "text": "".join(lines)}, {})
            if len(ids) <= budget:
                return ids if len(ids) >= _MIN_PIECE else [], replace(piece, text="".join(lines))
        return [], piece

    def _cut_suffix(self, suffix: str, budget: int) -> list[int]:
        """The first tokens of the suffix, cut after a whole line where there is one."""
        if budget <= 0 or not any(value == "suffix" for _, value in self._template):
            return []
        text = suffix[: budget * _CHARS_PER_TOKEN]
        ids, offsets = self.vocabulary.encode_with_offsets(text)
        if len(ids) <= budget:
            return ids
        end = text.rfind("\n", 0, offsets[budget - 1][1])
        shorter = self.vocabulary.encode(text[: end + 1]) if end > 0 else ids
        return shorter[:budget]

    def _prefix_start(self, lead: str, prefix: str, budget: int) -> int:
        """Where the prefix begins in the prompt, so that it fits: a line of the grid, a line, or a grid of characters.

        The place depends on the text before the current line and, at the moment the budget overflows, on its length;
        between two such moments it does not move while the user types.
        """
        budget = max(budget, 1)
        window = max(0, len(prefix) - budget * _CHARS_PER_TOKEN)
        text = prefix[window:]
        offsets = self.vocabulary.encode_with_offsets(lead + text)[1]
        if window == 0 and len(offsets) <= budget:
            return 0
        over = len(offsets) - budget
        earliest = window + (max(0, offsets[over - 1][1] - len(lead)) if over > 0 else 0)
        line = prefix.count("\n", 0, earliest)
        candidates = [m.end() for m in re.finditer("\n", prefix[earliest:])]
        numbered = [(line + i + 1, earliest + end) for i, end in enumerate(candidates)]
        on_grid = [at for number, at in numbered if number % _GRID == 0]
        starts = on_grid[:1] or [at for _, at in numbered[:1]] or [-(-earliest // 256) * 256]
        start = min(starts[0], len(prefix))
        while len(self.vocabulary.encode(lead + prefix[start:])) > budget and start < len(prefix):
            start = min(len(prefix), start + 64)  # tokens split differently from another start; rarely even once
        return start


def _known(vocabulary: Vocabulary, name: str) -> int:
    token = vocabulary.control(name)
    if token is None:  # checked before; said again for whoever calls without check
        raise UserError(f"the tokenizer has no token {name}", "choose another base model")
    return token
