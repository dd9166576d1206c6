"""Scores one answer against the text that the author wrote.

A suggestion on request is right when its first line equals the rest of the author's line, apart from blanks at the end.
One that is shown automatically may end earlier: it is right when the author's text begins with it. The other measures
say how far it was off, and what it cost or saved. The functions are pure functions of texts; figures over many cases
are made in ``intervals`` and ``summary``.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import Levenshtein

from finetune.commits.cases import Case
from indexer.languages.grammars import language_of
from indexer.text.lines import lines_of
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
"""Keywords of the scored languages. One list serves all of them, since a wrong entry changes little."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one system to one case.

    :param invoked: to a request that the user makes; ``automatic``: to one that the editor makes during typing.
    :param first_ms: milliseconds of the first answer after the cursor came to the line; ``again_ms``: of another answer
        at the same place.
    """

    invoked: Answer
    automatic: Answer
    first_ms: float
    again_ms: float


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """The scored answers of one system to one case.

    :param case: the number of the case, the same for every system.
    :param directory: the first two parts of the path.
    :param moved: the commit deleted the same line elsewhere.
    :param verbatim: the same line stands elsewhere, word by word.
    :param best: the first of the suggestions on request, "" for none.
    :param shown: the automatic suggestion, "" for none; ``reason`` of that answer.
    :param probability: that ``best`` is right, by the gate; ``shown_probability``: that all of ``shown`` is.
    :param exact: ``best`` is right; ``among``: one of up to three suggestions is.
    :param similarity: of ``best`` and the reference, see :func:`similarity`; 0 without a suggestion.
    :param names: identifiers in the reference, with a partly typed one as a whole; ``names_exact`` and ``names_f1``
        compare those of ``best`` with them.
    :param lines: lines of ``best`` after its first; ``lines_right``: how many of them, in a row, the author added too.
    :param right: the first line of ``shown`` is what the author wrote next; ``whole``: all of its lines are.
    :param usable: the first token of ``shown`` is right, so a part of it can be accepted.
    :param characters: length of the reference; ``saved``: of these, characters that need not be typed;
        ``saved_below``: characters of further right lines.
    :param first_ms: see ``Answers``, as for ``again_ms``.
    :param nature: of the line: code, comment or text.
    :param passes: passes through the model for its first text; ``model_ms``: their time with that of the prompt. Both
        are 0 without a model.
    """

    system: str
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
    shown_probability: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether there was a suggestion on request."""
        return bool(self.best)


def score(system: str, number: int, case: Case, verbatim: bool, answers: Answers) -> ScoredAnswer:
    """Score the answers of a system to one case.

    :param number: of the case in its replay. :param verbatim: see ``ScoredAnswer``.
    """
    invoked, automatic = answers.invoked, answers.automatic
    texts = [_inserted(case, suggestion) for suggestion in invoked.suggestions]
    best = texts[0] if texts else ""
    shown = _inserted(case, automatic.suggestions[0]) if automatic.suggestions else ""
    first, *below = lines_without_end_blanks(best)
    word = _WORD_AT_END.search(case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset])
    typed = word[0] if word else ""
    names, found = identifiers(typed + case.rest), identifiers(typed + first)
    right, lines, lines_right = agreement(shown, case)
    whole = right and lines == lines_right
    return ScoredAnswer(
        system=system,
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
        reason=automatic.reason,
        probability=invoked.suggestions[0].probability if texts else 0.0,
        exact=bool(best) and first == case.rest,
        among=any(lines_without_end_blanks(text)[0] == case.rest for text in texts),
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
        saved=max(0, len(lines_without_end_blanks(shown)[0]) - KEY_PRESS) if right else 0,
        saved_below=sum(len(line.strip()) for line in lines_without_end_blanks(shown)[1:]) if whole else 0,
        first_ms=answers.first_ms,
        again_ms=answers.again_ms,
        passes=int(invoked.trace.get("forwards", 0)),
        model_ms=1e3 * float(invoked.trace.get("seconds", 0.0)),
        shown_probability=automatic.suggestions[0].probability if automatic.suggestions else 0.0,
    )


def _inserted(case: Case, suggestion: Suggestion) -> str:
    """Return the text from the cursor to the end of the last line that the suggestion reaches, once accepted."""
    end = case.text.find("\n", suggestion.end)
    behind = case.text[suggestion.end : end if end >= 0 else None]
    return suggestion.text[max(0, case.offset - suggestion.start) :] + behind


def lines_without_end_blanks(text: str) -> list[str]:
    """Split a text into lines and remove the blanks at their ends."""
    return [line.rstrip() for line in lines_of(text)]


def is_beginning(text: str, rest: str) -> bool:
    """Return whether the author's text begins with a text, and not with a part of a word of it."""
    after = rest[len(text) : len(text) + 1]
    return bool(text) and rest.startswith(text) and not (after.isalnum() and text[-1:].isalnum())


def agreement(text: str, case: Case) -> tuple[bool, int, int]:
    """Return whether the first line is right, how many lines follow it, and how many of these are right in a row.

    A first line is right if it is the rest of the author's line or, where no line follows, a beginning of it.
    """
    if not text:
        return False, 0, 0
    first, *below = lines_without_end_blanks(text)
    right = 0
    for line, written in zip(below, case.following, strict=False):
        if line != written.rstrip():
            break
        right += 1
    return first == case.rest or (not below and is_beginning(first, case.rest)), len(below), right


def directory_of(path: str) -> str:
    """Return the first two folders of a path, "." for a file at the top."""
    return "/".join(path.split("/")[:-1][:2]) or "."


def similarity(one: str, other: str) -> float:
    """Return the edit similarity: 1 - Levenshtein distance / length of the longer text; 1 for two empty texts."""
    found: float = Levenshtein.normalized_similarity(one, other)
    return found


def identifiers(text: str) -> list[str]:
    """Return the identifiers in a piece of code, in order, without keywords and without words in strings."""
    return [word for word in _IDENTIFIER.findall(_STRING.sub(" ", text)) if word not in _KEYWORDS]


def overlap(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Return the F1 of two bags of names; 1 for two empty ones."""
    if not found and not wanted:
        return 1.0
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted))
