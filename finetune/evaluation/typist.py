"""A typist who writes the lines of a hunk key by key, and accepts what is right.

The typist looks at the ghost text before every key. All of it is accepted where all that is shown is what the author
wrote next. Of a text of several lines, the right first lines are accepted one by one. Else a right first word of more
than two characters is accepted. Each of these costs one key. Everything else is typed.

The editor's own help is free: the indentation after Enter, and closing brackets and quotes. An opening one inserts its
closing one where the author's text has it, and typing over that costs nothing.
"""

import random
import re
from dataclasses import dataclass, field
from typing import Any, Final

from finetune.commits.typed_hunks import TypedHunk
from finetune.evaluation.editor_help import CLOSERS, INDENT, QUOTES, closing_marks, keys_of, own_line
from finetune.evaluation.metrics import is_beginning
from finetune.evaluation.typing_editor import Ghost, TypingEditor
from lsp_server.hangul import keys

LEAST_WORD: Final = 3
"""Characters of the shortest word, its blanks included, that the typist accepts alone."""

_WORD: Final = re.compile(r"\s*(?:\w+|[^\w\s]+)")
_LINE: Final = re.compile(r"\n?[^\n]*")


@dataclass(frozen=True, slots=True)
class Habits:
    """What the typist does at random, as shares.

    :param typos: of letters typed wrong and taken back at once. :param escape: of wrong ghost texts that are dismissed.
    :param undo: of accepts that are undone at once. :param auto_close: whether the editor closes brackets.
    """

    typos: float = 0.03
    escape: float = 0.1
    undo: float = 0.02
    auto_close: bool = True


@dataclass(slots=True)
class Seen:
    """One ghost text that the typist saw.

    :param ended: ``accepted``, ``past`` (something else was typed), ``typed`` (to its end), ``replaced`` by another
        text, ``gone``, ``dismissed``, ``undone`` or ``end`` (of the hunk).
    :param keys: key presses during which it was on screen. :param part: whether a beginning was accepted.
    :param below: whether its first line stands in one of the next three lines.
    """

    text: str
    probability: float | None
    first_word: bool
    right: bool
    below: bool
    ended: str = "end"
    keys: int = 0
    part: bool = False


@dataclass(slots=True)
class TypedResult:
    """What happened while one hunk was typed.

    :param characters: of the lines, without indentation. :param alone: keys without any ghost text: what the editor
        inserts is free. :param pressed: keys with ghost texts; typos and undone accepts, which are drawn, count in
        neither.
    :param by_parts: keys that accepts of words and lines saved.
    :param again: the same text shown again on a line after it was typed past, after Escape, after its deletion.
    :param ms: of each request.
    """

    hunk: TypedHunk
    characters: int = 0
    alone: int = 0
    pressed: int = 0
    by_parts: int = 0
    seen: list[Seen] = field(default_factory=list)
    again: dict[str, int] = field(default_factory=lambda: {"past": 0, "escape": 0, "deleted": 0})
    ms: list[float] = field(default_factory=list)
    keys: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Closer:
    """A closing bracket that the editor inserted, and where the author's text has it."""

    text: str
    at: int


@dataclass(slots=True)
class _Line:
    """What was refused on the line that is being typed."""

    past: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    escape: bool = False


class Typist:
    """Types one hunk into an editor; see the module."""

    def __init__(self, hunk: TypedHunk, editor: TypingEditor, habits: Habits, seed: str) -> None:
        self.result = TypedResult(hunk)
        self._editor, self._habits, self._random = editor, habits, random.Random(seed)
        self._want = "\n".join(hunk.lines)
        self._reference = "\n".join((*hunk.lines, *hunk.further))
        self._below = [line.strip() for line in hunk.after if line.strip()][:3]
        self._base = len(hunk.before)
        self._at = len(self._want) - len(self._want.lstrip())
        self._pending: list[_Closer] = []
        self._ghost: Ghost | None = None
        self._seen: Seen | None = None
        self._line = _Line()
        self._closing = closing_marks(self._want) if habits.auto_close else {}

    async def type(self) -> TypedResult:
        """Type the hunk; return what happened."""
        hunk = self.result.hunk
        self.result.characters = keys_of(self._want, {}, self._at, len(self._want))
        self.result.alone = keys_of(self._want, self._closing, self._at, len(self._want))
        uri = f"typing:///{hunk.commit}/{hunk.path}"
        opened, after = "\n".join((*hunk.replaced, *hunk.after)), "\n".join(hunk.after)
        await self._editor.open(uri, hunk.path, hunk.language, hunk.before + opened)
        end = self._base + len(opened) - len(after)
        self._editor.edit(self._base, end, self._want[: self._at] + ("\n" if hunk.after else ""))
        while self._at < len(self._want):
            await self._look()
            await self._act()
        await self._editor.shut()
        return self.result

    # Looking

    async def _look(self) -> None:
        """Ask at the cursor, and take what is on screen now."""
        ghost, ms, trace = await self._editor.ask(self._base + self._at)
        self.result.ms.append(ms)
        if ghost is not None and not ghost.text.strip():
            ghost = None
        expected = self._ghost
        new = ghost is not None and (expected is None or not _same(ghost, expected))
        if self._seen is not None and (ghost is None or new):
            self._end("replaced" if new else "gone")
        self._ghost = ghost
        if ghost is not None and new:
            self._appeared(ghost, trace)
        before = self._want[: self._at].rsplit("\n", 1)[-1]
        self.result.keys.append(
            {
                "at": self._at,
                "typed": before,
                "rest": self._want[self._at :].split("\n", 1)[0],
                "text": ghost.text if ghost is not None else None,
                "new": new,
                "reason": str(trace.get("reason")),
                "probability": trace.get("probability"),
                "trace": trace.get("trace"),
                "ms": round(ms, 2),
            }
        )

    def _appeared(self, ghost: Ghost, trace: dict[str, Any]) -> None:
        text, first = ghost.text.rstrip(), ghost.text.split("\n", 1)[0]
        before = self._want[: self._at].rsplit("\n", 1)[-1]
        seen = Seen(
            text=text,
            probability=trace.get("probability"),
            first_word=is_beginning((_WORD.match(text) or [text])[0], self._reference[self._at :]),
            right=self._right(ghost),
            below=len((before + first).strip()) > 2 and (before + first).strip() in self._below,
        )
        self.result.seen.append(seen)
        self._seen = seen
        again, bare = self.result.again, text.strip()
        again["past"] += bare in self._line.past
        again["escape"] += self._line.escape
        again["deleted"] += any(is_beginning(bare, one) for one in self._line.deleted)

    def _right(self, ghost: Ghost) -> bool:
        """Whether the document is as the author wrote it after all of a ghost text is accepted."""
        end = self._at + len(ghost.text.rstrip())
        if not is_beginning(ghost.text.rstrip(), self._reference[self._at :]):
            return False
        taken, left = [], ghost.replaced
        for closer in self._pending:
            if left < len(closer.text):
                break
            left -= len(closer.text)
            taken.append(closer)
        kept = self._pending[len(taken) :]
        return left == 0 and all(one.at < end for one in taken) and all(one.at >= end for one in kept)

    def _end(self, how: str) -> None:
        if self._seen is not None:
            self._seen.ended = how
        self._seen = self._ghost = None

    # Acting

    async def _act(self) -> None:
        """Press one key."""
        ghost, seen = self._ghost, self._seen
        if self._type_over():
            return
        self.result.pressed += 1
        if seen is not None and ghost is not None:
            seen.keys += 1
            if self._right(ghost):
                await self._accept(ghost, seen)
                return
            part = self._acceptable_part(ghost.text)
            if part:
                self._insert(part)
                self.result.by_parts += self._keys_of(part) - 1
                seen.part = True
                self._ghost = Ghost(ghost.id, ghost.text[len(part) :], ghost.replaced)
                self._advance(part)
                return
            if seen.keys == 1 and not seen.first_word and self._random.random() < self._habits.escape:
                self._editor.dismissed(ghost)
                self._line.past.add(seen.text.strip())
                self._line.escape = True
                self._end("dismissed")
                return
        await self._type_key()

    async def _accept(self, ghost: Ghost, seen: Seen) -> None:
        text, start = ghost.text.rstrip(), self._base + self._at
        replaced = self._editor.text[start : start + ghost.replaced]
        self._editor.edit(start, start + ghost.replaced, text)
        self._editor.accepted(ghost)
        if self._random.random() < self._habits.undo:
            self.result.pressed -= 1
            await self._editor.ask(start + len(text))
            self._editor.edit(start, start + len(text), replaced)
            self._line.deleted.add(text.strip())
            self._end("undone")
            return
        while replaced:
            replaced = replaced[len(self._pending.pop(0).text) :]
        self._end("accepted")
        self._advance(text)

    def _acceptable_part(self, text: str) -> str:
        """The right next line of a text of several, or its right first word; "" for neither."""
        rest, first = self._want[self._at :], _LINE.match(text)
        word = _WORD.match(text)
        parts = [first[0]] if first is not None and len(first[0]) < len(text) else []
        parts += [word[0]] if word is not None and len(word[0]) >= LEAST_WORD else []
        for part in parts:
            end = self._at + len(part)
            if is_beginning(part, rest) and all(closer.at >= end for closer in self._pending):
                return part
        return ""

    def _type_over(self) -> bool:
        """Go past the next characters for nothing, where the editor has inserted them."""
        if not self._pending or self._pending[0].at != self._at:
            return False
        text = self._pending.pop(0).text
        self._went_on(text)
        self._advance(text)
        return True

    async def _type_key(self) -> None:
        letter = self._want[self._at]
        self.result.pressed += len(keys(letter)) - 1
        if letter.isalpha() and self._random.random() < self._habits.typos:
            self.result.pressed -= len(keys(letter))
            await self._typo(letter)
            return
        text = INDENT.match(self._want, self._at)[0] if letter == "\n" else letter  # type: ignore[index]
        closer = self._closing.get(self._at)
        quoted = bool(self._pending) and self._pending[0].text in QUOTES
        if letter == "\n" and self._opens_block():
            closing = self._pending.pop(0)
            begin = self._want.rindex("\n", 0, closing.at)
            self._pending.insert(0, _Closer(self._want[begin : closing.at + 1], begin))
            self._insert(text + self._pending[0].text, len(closing.text))
        elif closer is not None and not quoted:
            self._pending.insert(0, _Closer(CLOSERS[letter], closer))
            self._insert(letter + CLOSERS[letter])
        else:
            self._insert(text)
        self._went_on(text)
        self._advance(text)

    def _opens_block(self) -> bool:
        """Whether Enter between brackets puts the closing one on a line of its own, as the author's text has it."""
        closing = self._closing.get(self._at - 1)
        if closing is None or not self._pending or self._pending[0] != _Closer(self._want[closing], closing):
            return False
        return own_line(self._want, self._at - 1, closing) is not None

    async def _typo(self, letter: str) -> None:
        """Type a wrong letter and take it back; the ghost text on screen is typed past."""
        wrong = self._random.choice([one for one in "etaoinsrhl" if one != letter.lower()])
        at = self._base + self._at
        self._editor.edit(at, at, wrong)
        if self._ghost is not None and not self._ghost.text.startswith(wrong):
            self._refuse()
        self._end("past")
        shown, ms, trace = await self._editor.ask(at + 1)
        self.result.ms.append(ms)
        if shown is not None:
            self._appeared(shown, trace)
            self.result.seen[-1].first_word = self.result.seen[-1].right = False
            self.result.seen[-1].keys = 1
            self._end("gone")
        self._editor.edit(at, at + 1, "")

    def _went_on(self, text: str) -> None:
        """Note what typing says about the ghost text."""
        if self._ghost is None:
            return
        if not self._ghost.text.startswith(text):
            self._refuse()
        elif len(self._ghost.text.rstrip()) <= len(text):
            self._end("typed")
        else:
            self._ghost = Ghost(self._ghost.id, self._ghost.text[len(text) :], self._ghost.replaced)

    def _refuse(self) -> None:
        assert self._ghost is not None
        self._line.past.add(self._ghost.text.strip())
        if self._seen is not None:
            self._line.past.add(self._seen.text.strip())
        self._end("past")

    def _advance(self, text: str) -> None:
        """Move the cursor behind text that stands in the document; Enter begins another line."""
        self._at += len(text)
        if "\n" in text:
            self._line = _Line()

    def _insert(self, text: str, replaced: int = 0) -> None:
        at = self._base + self._at
        self._editor.edit(at, at + replaced, text)

    def _keys_of(self, text: str) -> int:
        """Keys that typing a right text takes without ghost text."""
        return keys_of(self._want, self._closing, self._at, self._at + len(text))


def _same(one: Ghost, other: Ghost) -> bool:
    """Whether two ghost texts are the same to the eye: closing marks at the end do not count."""
    marks = " )]}\"'`;"
    return one.id == other.id or one.text.rstrip(marks) == other.text.rstrip(marks) != ""
