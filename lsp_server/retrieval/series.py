"""Fills the next row of a series: the line above with its changing word exchanged for the one that comes next.

Ports, parameters, cases, fields and imports come in rows of one form. The lines above the cursor that have the form of
what is typed are templates; the first word in which the last two of them differ is the slot. What may stand in it: the
names of the document that begin as the begun word does, the nearest first; the word that follows the slot's last word
elsewhere in the document, where the same things are listed in another form; and for numbers the next one.

This module proposes; whether the result is any good is for the ranker to say.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np

from indexer.text.lines import leading_blanks
from indexer.text.tokens import TOKEN
from lsp_server.retrieval.columns import LONGEST
from lsp_server.retrieval.cursor import WINDOW, Scene
from lsp_server.retrieval.matches import COUNTED, NAMED, SLOT, Places, window_of
from lsp_server.retrieval.renamed_copies import apply, changed_parts

TEMPLATES: Final = 3
"""Lines above that are filled."""

NAMES: Final = 5
"""Words of each kind that are tried."""

REACH: Final = 16_000
"""Characters before the cursor, and as many behind it, that are looked through."""

SEEN: Final = 12
"""Occurrences of a word that are looked at on either side of the cursor."""

_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Template:
    """A line above with the form of what is typed.

    :param row: its number. :param tokens: its tokens. :param names: what its typed words are called in the new line.
    """

    row: int
    text: str
    tokens: list[str]
    names: dict[str, str]


@dataclass(frozen=True, eq=False)
class Filled:
    """Filled templates as places, and the rest of the line that each stands for."""

    places: Places
    rests: list[str]


def fill(scene: Scene) -> Filled | None:
    """The next rows of the series that the cursor stands in; None where it stands in none."""
    rows: list[tuple[int, Template, str, int]] = []
    said: set[tuple[int, str]] = set()
    for number, reading in enumerate(scene.readings):
        typed = TOKEN.findall(scene.prefix)[: len(reading.typed)]
        templates = _templates(scene, typed)
        for template, before in zip(templates, (*templates[1:], None), strict=False):
            for rest, rank in _fillings(scene, template, before, len(typed), reading.partial, templates):
                if (number, rest) not in said:
                    said.add((number, rest))
                    rows.append((number, template, rest, rank))
    if not rows:
        return None
    return Filled(_as_places(scene, rows), [rest for _, _, rest, _ in rows])


def _templates(scene: Scene, typed: Sequence[str]) -> list[Template]:
    """The nearest lines above of the cursor's indentation whose first tokens are alike to those that are typed."""
    found: list[Template] = []
    indent = leading_blanks(scene.prefix)
    for row, blanks, tokens in scene.frame.rows_above:
        names = _names(tokens, typed) if blanks == indent and len(typed) < len(tokens) <= WINDOW else None
        if names is not None:
            found.append(Template(row, scene.frame.before.lines[row], tokens, names))
        # At a line's start only the line right above begins a series.
        if len(found) > TEMPLATES or not (typed or found):
            break
    return found


def _names(tokens: Sequence[str], typed: Sequence[str]) -> dict[str, str] | None:
    """What the first tokens are called in the line that is typed; None where the forms differ."""
    names: dict[str, str] = {}
    for one, other in zip(tokens, typed, strict=False):
        if one == other:
            continue
        if not _exchangeable(one, other):
            return None
        names.setdefault(one, other)
    return names


def _exchangeable(one: str, other: str) -> bool:
    """Whether two tokens may stand in the same place of two rows: two words, or two numbers."""
    if _WORD.fullmatch(one):
        return _WORD.fullmatch(other) is not None
    return one[0].isdigit() and other[0].isdigit()


def _fillings(
    scene: Scene, template: Template, before: Template | None, typed: int, partial: str, series: Sequence[Template]
) -> Iterator[tuple[str, int]]:
    """The template's rest with each word that may stand in its slot, and the word's rank."""
    tokens = template.tokens
    slot = typed if partial else _slot(template, before, typed)
    if slot is None:
        return
    word = tokens[slot]
    rest = _behind(template, typed)
    if before is not None and not partial:
        counted = _counted(template, before, typed)
        if counted is not None:
            yield counted, COUNTED
    if not _WORD.fullmatch(word):
        return
    used = {one.tokens[slot] for one in series if slot < len(one.tokens)}
    named = _begun(scene, partial) if partial else []
    for rank, new in [*enumerate(_following(scene, word)), *enumerate(named, NAMED)]:
        if new in used or not new.startswith(partial) or new == partial:
            continue
        names = {**template.names, word: new}
        parts = {f"\0{a}": b for one, other in names.items() for a, b in changed_parts(one, other)}
        yield apply(rest, {**parts, **names})[0], rank


def _slot(template: Template, before: Template | None, typed: int) -> int | None:
    """The first token behind what is typed in which the last two rows of a series differ; None where they are none."""
    if before is None or len(before.tokens) != len(template.tokens):
        return None
    slot = None
    for number, (one, other) in enumerate(zip(template.tokens, before.tokens, strict=True)):
        if one != other:
            if not _exchangeable(one, other):
                return None
            if slot is None and number >= typed:
                slot = number
    return slot


def _counted(template: Template, before: Template, typed: int) -> str | None:
    """The template's rest with every number that grew from the row before grown again; None where none did."""
    if len(before.tokens) != len(template.tokens):
        return None
    names: dict[str, str] = {}
    for one, other in zip(template.tokens, before.tokens, strict=True):
        new, old = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
        if one == other:
            continue
        if not new or not old or (new[1], new[3]) != (old[1], old[3]):
            return None
        names[one] = (
            f"{new[1]}{str(2 * int(new[2]) - int(old[2])).zfill(len(new[2]) if new[2][0] == '0' else 0)}{new[3]}"
        )
    if not names or any("-" in name for name in names.values()):
        return None
    rest = _behind(template, typed)
    return TOKEN.sub(lambda match: names.get(match[0], match[0]), rest)


def _behind(template: Template, typed: int) -> str:
    """The template's text behind its first tokens."""
    if not typed:
        return template.text.strip()
    place = 0
    for number, match in enumerate(TOKEN.finditer(template.text), 1):
        place = match.end()
        if number == typed:
            break
    return template.text[place:].rstrip()


def _begun(scene: Scene, partial: str) -> list[str]:
    """Names of the document that begin like this, the nearest first."""
    pattern = re.compile(rf"(?<!\w){re.escape(partial)}\w+")
    frame = scene.frame
    above = [
        (len(frame.before.text) - m.start(), m[0])
        for m in pattern.finditer(frame.before.text, max(0, len(frame.before.text) - REACH))
    ]
    below = [(m.start(), m[0]) for m in pattern.finditer(frame.after.text, 0, REACH)]
    return list(dict.fromkeys(name for _, name in sorted(above + below)))[:NAMES]


def _following(scene: Scene, word: str) -> list[str]:
    """Words that stand in a word's place on the line below it, elsewhere in the document."""
    frame = scene.frame
    if word not in frame.followers:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        texts = (frame.after.text[:REACH], frame.before.text[-REACH:])
        found = (_below(text, match) for text in texts for match in islice(pattern.finditer(text), SEEN))
        frame.followers[word] = [*islice(dict.fromkeys(filter(None, found)), NAMES)]
    return frame.followers[word]


def _below(text: str, match: "re.Match[str]") -> str | None:
    """The word that stands in a word's place on the next line."""
    start, end = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
    if end < 0 or end - start > LONGEST:
        return None
    following = text[end + 1 : end + 1 + LONGEST].split("\n", 1)[0]
    return _counterpart(
        TOKEN.findall(text[start:end]), TOKEN.findall(following), len(TOKEN.findall(text[start : match.start()]))
    )


def _counterpart(this: Sequence[str], following: Sequence[str], number: int) -> str | None:
    """The word of the following line that stands where the word does in its own: as far from the start, or from the
    end where the lines differ in length."""
    for place in (number, len(following) - (len(this) - number)):
        if 0 <= place < len(following):
            new = following[place]
            around = [
                place - 1 >= 0 and number - 1 >= 0 and following[place - 1] == this[number - 1],
                place + 1 < len(following) and number + 1 < len(this) and following[place + 1] == this[number + 1],
            ]
            if _WORD.fullmatch(new) and new not in this and any(around):
                return new
    return None


def _as_places(scene: Scene, rows: Sequence[tuple[int, Template, str, int]]) -> Places:
    size = len(rows)
    frame = scene.frame
    lines = np.array([template.row for _, template, _, _ in rows])
    typed = np.array([len(scene.readings[number].typed) for number, _, _, _ in rows])
    return Places(
        reading=np.array([number for number, _, _, _ in rows]),
        source=np.full(size, SLOT),
        length=np.minimum(typed, 12),
        weight=np.ones(size),
        origin=np.zeros(size, np.int64),
        line=lines,
        token=typed,
        hit=np.array([rank for _, _, _, rank in rows]),
        indent=np.maximum(frame.indents[lines], 0),
        previous=frame.previous_indents[lines],
        form=typed,
        changes=np.ones(size, np.int64),
        window=np.array([window_of(rest) for _, _, rest, _ in rows], np.uint32),
    )
