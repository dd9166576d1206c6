"""Scores one answer against what the author wrote: pure functions of texts.

A suggestion is right when its first line is, character by character, the rest of the author's line (blanks at the end
aside). The other measures say how far it was off, and what it cost or saved. This module knows no engine, no
repository and no statistics over many cases: ``intervals`` and ``summary`` have those.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from finetune.commits.cases import Case
from indexer.languages.grammars import language_of
from indexer.text.tokens import TOKEN
from lsp_server.types import Answer, Suggestion

KEY_PRESS: Final = 1
"""Characters that accepting a suggestion costs."""

_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`")
_WORD_AT_END = re.compile(r"\w+$")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_KEYWORD_LIST: Final = """
    abstract and as assert async await begin bool boolean break byte case catch char class const continue def
    default defer del do double elif else elsif elseif end enum except export extends extern false False final
    finally float fn for foreach from func function global go goto if impl implements import in include int
    interface is lambda let local long loop match mod module mut namespace native new next nil None nonlocal not
    null nullptr of operator or package pass private protected pub public raise range ref require rescue return
    self short signed sizeof static struct super switch synchronized template then this throw throws trait true
    True try type typedef typename typeof undefined union unless unsigned until use using val var virtual void
    volatile when where while with yield logic wire reg input output endmodule endfunction endtask endclass task
    always assign posedge negedge bit
"""
_KEYWORDS: Final = frozenset(_KEYWORD_LIST.split())
"""Words that name nothing in the languages that are scored; one list for all, since a wrong one costs little."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one arm answered in one case, scored.

    :param case: the case's number, the same for every arm. :param directory: the first two parts of the path.
    :param moved: the line was deleted elsewhere in its commit. :param verbatim: it stands elsewhere, word by word.
    :param best: the best of the texts answered when asked, "" for none; ``shown`` the one shown unasked, "" for none.
    :param probability: that the best is right, as the gate says.
    :param exact: the best is right; ``among``: one of up to three is.
    :param similarity: of best and reference, 1 - edit distance / longer length; 0 without an answer.
    :param names: identifiers in the reference, the begun one as a whole; ``names_exact`` and ``names_f1``
        compare the best's with them.
    :param lines: lines that the best adds after the first; ``lines_right``: how many of them, from the first one on,
        the author added too.
    :param right: the first line of what was shown is right; ``whole``: and so is every other line of it.
    :param usable: what was shown begins with the right token, so that part of it can be taken.
    :param characters: length of the reference. :param saved: of those need not be typed; ``saved_below``: characters
        of further right lines.
    :param first_ms: the answer after moving to the line; ``again_ms``: another one at the same line.
    :param nature: of the line: code, comment or text.
    :param passes: of the model, for its first text; ``model_ms``: how long that took with the prompt. 0 without one.
    """

    arm: str
    case: int
    commit: str
    path: str
    line: int
    language: str
    directory: str
    kind: str
    nature: str
    moved: bool
    verbatim: bool
    best: str
    shown: str
    reason: str
    probability: float
    exact: bool
    among: bool
    similarity: float
    names: int
    names_exact: bool
    names_f1: float
    lines: int
    lines_right: int
    right: bool
    whole: bool
    usable: bool
    characters: int
    saved: int
    saved_below: int
    first_ms: float
    again_ms: float
    passes: int = 0
    model_ms: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether there was anything to suggest."""
        return bool(self.best)


def judge(
    arm: str, number: int, case: Case, verbatim: bool, asked: Answer, unasked: Answer, first_ms: float, again_ms: float
) -> Outcome:
    """Scores the answers to one case.

    :param asked: the answer to a request that the user made (``Invoked``); ``unasked``: to an automatic one.
    """
    texts = [_written(case, suggestion) for suggestion in asked.suggestions]
    best = texts[0] if texts else ""
    shown = _written(case, unasked.suggestions[0]) if unasked.suggestions else ""
    first, *below = _lines(best)
    begun = _WORD_AT_END.search(case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset])
    typed = begun[0] if begun else ""
    names, found = identifiers(typed + case.rest), identifiers(typed + first)
    right, lines, lines_right = agreement(shown, case)
    whole = right and lines == lines_right
    return Outcome(
        arm=arm,
        case=number,
        commit=case.commit,
        path=case.path,
        line=case.line,
        language=language_of(case.path),
        directory=directory_of(case.path),
        kind=case.kind,
        nature=case.line_kind,
        moved=case.moved,
        verbatim=verbatim,
        best=best,
        shown=shown,
        reason=unasked.reason,
        probability=asked.suggestions[0].probability if texts else 0.0,
        exact=bool(best) and first == case.rest,
        among=any(_lines(text)[0] == case.rest for text in texts),
        similarity=similarity(first, case.rest) if best else 0.0,
        names=len(names),
        names_exact=found == names,
        names_f1=overlap(found, names) if best else 0.0,
        lines=len(below),
        lines_right=agreement(best, case)[2],
        right=right,
        whole=whole,
        usable=bool(shown) and TOKEN.findall(shown)[:1] == TOKEN.findall(case.rest)[:1],
        characters=len(case.rest),
        saved=max(0, len(case.rest) - KEY_PRESS) if right else 0,
        saved_below=sum(len(line.strip()) for line in _lines(shown)[1:]) if whole else 0,
        first_ms=first_ms,
        again_ms=again_ms,
        passes=int(asked.trace.get("forwards", 0)),
        model_ms=1e3 * float(asked.trace.get("seconds", 0.0)),
    )


def _written(case: Case, suggestion: Suggestion) -> str:
    """What would stand from the cursor on, up to the end of the last line that the suggestion reaches."""
    end = case.text.find("\n", suggestion.end)
    behind = case.text[suggestion.end : end if end >= 0 else None]
    return suggestion.text[max(0, case.offset - suggestion.start) :] + behind


def _lines(text: str) -> list[str]:
    """Lines without blanks at their ends."""
    return [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def agreement(text: str, case: Case) -> tuple[bool, int, int]:
    """Whether the first line is right, how many lines follow it, and how many of these, in a row, the author added."""
    if not text:
        return False, 0, 0
    first, *below = _lines(text)
    right = 0
    for line, written in zip(below, case.following, strict=False):
        if line != written.rstrip():
            break
        right += 1
    return first == case.rest, len(below), right


def directory_of(path: str) -> str:
    """The first two folders of a path, "." for a file at the top."""
    return "/".join(path.split("/")[:-1][:2]) or "."


def similarity(one: str, other: str) -> float:
    """1 - edit distance / length of the longer text; 1 for two empty ones."""
    longer = max(len(one), len(other))
    return 1 - edit_distance(one, other) / longer if longer else 1.0


def edit_distance(one: str, other: str) -> int:
    """Insertions, deletions and substitutions from one text to another (Levenshtein), by Myers' bit vectors."""
    if not one or not other:
        return len(one) + len(other)
    places: dict[str, int] = {}
    for number, mark in enumerate(one):
        places[mark] = places.get(mark, 0) | 1 << number
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    plus, minus, distance = full, 0, len(one)
    for mark in other:
        equal = places.get(mark, 0)
        diagonal = ((((equal & plus) + plus) ^ plus) | equal | minus) & full
        up, down = minus | (~(diagonal | plus) & full), plus & diagonal
        distance += bool(up & last) - bool(down & last)
        up, down = (up << 1) & full | 1, (down << 1) & full
        plus, minus = down | (~(diagonal | up) & full), up & diagonal
    return distance


def identifiers(text: str) -> list[str]:
    """The names in a piece of code, in order: words that are neither in strings nor keywords."""
    return [word for word in _IDENTIFIER.findall(_STRING.sub(" ", text)) if word not in _KEYWORDS]


def overlap(found: Sequence[str], wanted: Sequence[str]) -> float:
    """F1 of two bags of names; 1 for two empty ones."""
    if not found and not wanted:
        return 1.0
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted))
