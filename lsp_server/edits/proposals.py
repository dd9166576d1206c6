"""Proposals for one line: every text that an earlier edit makes of it, with the evidence that speaks for it."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from lsp_server.edits.changed_lines import GONE, is_block
from lsp_server.edits.columns import aligned
from lsp_server.edits.lessons import BELOW, LINE, Lesson, lesson, open_brackets
from lsp_server.edits.quotes import breaks_strings, requoted
from lsp_server.edits.rules import Rule
from lsp_server.edits.series import next_of_series
from lsp_server.edits.token_lines import TokenLine, common_ends, is_name, is_word, parse, render
from lsp_server.spellings import SHORT, with_parts

PARTS_OF: Final = 24
"""Changed lines of which the parts of names are changed together, the newest."""

_NO_ARGUMENT: Final = re.compile(r"[(,]\s*,|^\s*,")
"""A comma behind an opening bracket, another comma or nothing."""

_EMPTY: Final = re.compile(r"""\"\"|''|``|\(\)|\[\]|\{\}|<>""")
"""Quotes or brackets with nothing between them."""

_PROSE: Final = re.compile(r"\s*(?://|/\*|\*(?=[\s/]|\Z)|#(?=\s)|--(?=\s)|<!--|;;)[^(){}\[\]=;]*\Z")
"""A line that is a comment without code in it, in any language."""

_JOINED: Final = ("c11", "c22", "k22", "s11", "s22", "sk22")


@dataclass(frozen=True)
class Taught:
    """One changed line of the past.

    :param uri: its document. :param line: where it is now, from 0. :param step: the edit it belongs to, ascending.
    :param blank: of a deleted line how many blank lines above and below were deleted with it; those between two deleted
        lines stand below the first.
    """

    uri: str
    line: int
    step: int
    lesson: Lesson
    blank: tuple[int, int] = (0, 0)


def taught(uri: str, line: int, step: int, old: str, new: str, whole_call: bool = False) -> Taught:
    """Return what a changed line teaches; see :func:`lessons.lesson`."""
    return Taught(uri, line, step, lesson(old, new, whole_call))


def once(history: Sequence[Taught]) -> list[Taught]:
    """Return what was taught, each change once: without calls over several lines, and without the lines below inserted
    ones where the line above says it."""
    above = {one.step for one in history if one.lesson.side == LINE and "\n" in one.lesson.new_text}
    return [one for one in history if one.lesson.side == LINE or (one.lesson.side == BELOW and one.step not in above)]


@dataclass
class Evidence:
    """What speaks for one proposed text.

    :ivar series: its numbers go on with those of the last edits, at a line of the same shape.
    :ivar swept: it is the next line of a change that the newest edits made line by line (:mod:`sweeps`).
    :ivar joint: number of edits whose common pattern makes the text of the line (:mod:`joint`); 0 for none.
    :ivar kinds: the edits by kind of evidence. :ivar edits: all of them; an edit is named by its age, 0 is the newest.
    """

    kinds: dict[str, set[int]] = field(default_factory=dict)
    edits: set[int] = field(default_factory=set)
    rules: list[tuple[Rule, Taught]] = field(default_factory=list)
    places: int = 99
    holes: int = 99
    series: bool = False
    swept: bool = False
    joint: int = 0

    def add(self, kind: str, edit: int, places: int = 1, holes: int = 0) -> None:
        """Count one edit that proposes the text."""
        self.kinds.setdefault(kind, set()).add(edit)
        self.edits.add(edit)
        self.places, self.holes = min(self.places, places), min(self.holes, holes)

    def join(self, other: "Evidence") -> None:
        """Take over what speaks for another text that comes to the same."""
        for kind, edits in other.kinds.items():
            self.kinds.setdefault(kind, set()).update(edits)
        self.edits |= other.edits
        self.rules += other.rules
        self.places, self.holes = min(self.places, other.places), min(self.holes, other.holes)


def proposals(line: str, history: Sequence[Taught], far: bool = False) -> dict[str, Evidence]:
    """Return every text that an edit of ``history`` (oldest first) makes of a line, with its evidence.

    :param far: whether the cursor is on another line; see :meth:`lessons.Lesson.effects`.
    """
    target = parse(line)
    found: dict[str, Evidence] = {}
    applied: list[tuple[Rule, int]] = []
    for age, source in enumerate(reversed(history)):
        for effect in source.lesson.effects(line, far):
            evidence = found.setdefault(effect.text, Evidence())
            evidence.add(effect.kind, age, effect.places, effect.holes)
            if effect.rule is not None:
                evidence.rules.append((effect.rule, source))
                if len(effect.rule.regions) == 1 and effect.kind in _JOINED and "\n" not in effect.text:
                    applied.append((effect.rule, age))
    series = next_of_series([source.lesson for source in reversed(history[-2:])])
    for effect in series.effects(line, far) if series is not None else ():
        if effect.kind == "analogy":
            evidence = found.setdefault(effect.text, Evidence())
            evidence.series = target.kinds == history[-1].lesson.old.kinds
            for age in range(2):
                evidence.add(effect.kind, age, effect.places, effect.holes)
    for kind, text, age in _together(line, target, history, applied, far):
        if text != line:
            found.setdefault(text, Evidence()).add(kind, age)
    for text, evidence in list(found.items()):
        lessons = [history[-1 - age].lesson for age in evidence.edits]
        if breaks_strings(line, text) and not any(breaks_strings(one.old_text, one.new_text) for one in lessons):
            del found[text]
            if (text := requoted(line, text)) == line:
                continue
            found.setdefault(text, Evidence()).join(evidence)
        if not sound(line, text, lessons) or _breaks(target, text, lessons) or _leaves_code(line, text, lessons):
            del found[text]
    return found


def sound(line: str, text: str, lessons: Sequence[Lesson]) -> bool:
    """Whether a text brings no comma without an argument before it, no pair around nothing, nothing that stands there.

    ``f(nil)`` to ``f(nil, nil)`` brings what stands there, and ``80`` to ``"80"`` brings ``""`` behind ``env:``; a text
    may do so if one of its edits did.
    """
    if len(_NO_ARGUMENT.findall(text)) > len(_NO_ARGUMENT.findall(line)):
        return False
    if _wraps_nothing(line, text) and not any(_wraps_nothing(one.old_text, one.new_text) for one in lessons):
        return False
    return not _twice(line, text) or any(_twice(one.old_text, one.new_text) for one in lessons)


def _wraps_nothing(line: str, text: str) -> bool:
    """Whether a text takes nothing away, and brings quotes or brackets with nothing between them."""
    if is_block(text) or len(_EMPTY.findall(text)) <= len(_EMPTY.findall(line)):
        return False
    return not Counter(parse(line).texts) - Counter(parse(text).texts)


def _breaks(line: TokenLine, text: str, lessons: Sequence[Lesson]) -> bool:
    """Whether a text takes a bracket's partner away, or brings one without, and none of its edits did so."""
    if is_block(text):
        return False
    return all(one.keeps_brackets for one in lessons) and open_brackets(parse(text)) != open_brackets(line)


def is_prose(line: str) -> bool:
    """Whether a line is a comment without code in it."""
    return _PROSE.match(line) is not None


def _leaves_code(line: str, text: str, lessons: Sequence[Lesson]) -> bool:
    """Whether edits of code would change the words of a comment: ``public`` to ``public final`` in a sentence.

    A name that is replaced may be meant in a sentence as well.
    """
    if is_block(text) or not is_prose(line) or any(is_prose(one.old_text) for one in lessons):
        return False
    return not any(map(is_name, parse(line).words - parse(text).words))


def _twice(line: str, text: str) -> bool:
    """Whether a text inserts tokens, a word among them, behind the same ones: ``f(a, tax=0)`` has the argument."""
    if is_block(text):
        return False
    old, new = parse(line).texts, parse(text).texts
    head, tail = common_ends(old, new)
    come = new[head : len(new) - tail]
    if head + tail < len(old) or not 1 < len(come) <= head or not any(map(is_word, come)):
        return False
    return new[head - len(come) : head] == come


def align(found: dict[str, Evidence], line: str, neighbour: Lesson) -> None:
    """Add each text once more with its tokens in the columns of the row next to the line.

    :param neighbour: what the edit of that row taught.
    """
    target, row = parse(line), (neighbour.old, neighbour.new)
    if GONE in (neighbour.old_text, neighbour.new_text) or "\n" in neighbour.new_text:
        return
    for text, evidence in list(found.items()):
        if text != GONE and "\n" not in text:
            again = aligned(target, parse(text), row)
            if again is not None and again != line:
                more = found.setdefault(again, Evidence())
                for edit in evidence.edits:
                    more.add("columns", edit, evidence.places, evidence.holes)
                more.rules += evidence.rules


def _together(
    line: str, target: TokenLine, history: Sequence[Taught], applied: Sequence[tuple[Rule, int]], far: bool
) -> list[tuple[str, str, int]]:
    """Return what several edits make of a line together: renames, and rules of different edits in turn.

    At the cursor renames change parts of other names too.
    """
    made: list[tuple[str, str, int]] = []
    table: dict[str, str] = {}
    newest = len(history)
    for age, source in enumerate(reversed(history)):
        for gone, come in source.lesson.names:
            if gone not in table and gone in target.places:
                table[gone] = come
                newest = min(newest, age)
    if len(table) > 1:
        texts = [table.get(token, token) for token in target.texts]
        made.append(("renames", render(target.indent, texts, target.spaces, target.tail), newest))
    if not far:
        made += _with_parts(target, history, table)
    text = line
    ages: list[int] = []
    for rule, age in sorted(applied, key=lambda item: len(item[0].literals), reverse=True):
        again = rule.apply(parse(text))
        if again is not None and again[0] != text:
            text = again[0]
            ages.append(age)
    if 1 < len(ages) <= 6:
        made.append(("union", text, min(ages)))
    return made


def _with_parts(target: TokenLine, history: Sequence[Taught], table: dict[str, str]) -> Iterator[tuple[str, str, int]]:
    """Yield the line after all renames, and after the parts of names that they change; only with two names or more."""
    parts: dict[str, str] = {}
    newest = len(history)
    for age, source in enumerate(reversed(history[-PARTS_OF:])):
        if source.lesson.parts:
            newest = min(newest, age)
            parts = source.lesson.parts | parts
    if not parts:
        return
    texts = [
        table.get(token) or (with_parts(token, parts) if len(token) > SHORT and is_name(token) else token)
        for token in target.texts
    ]
    changed = {old for old, new in zip(target.texts, texts, strict=True) if old != new}
    if len(changed) > 1 and not changed <= table.keys():
        yield "renames", render(target.indent, texts, target.spaces, target.tail), newest
