"""Says what cannot stand at a place: a word that continues no block, a second definition of a name, a comma after a
condition, a mark of a conflict."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from indexer.text.lines import indent_of
from lsp_server.fitting.answers import FENCED
from lsp_server.fitting.closing_words import closes_another
from lsp_server.fitting.depth import too_deep
from lsp_server.fitting.families import C_FAMILY, HARDWARE, SCRIPTS
from lsp_server.fitting.indentation import tabbed
from lsp_server.fitting.levels import documents_statement, on_wrong_level
from lsp_server.fitting.line_marks import lexed
from lsp_server.fitting.marks import Open, State, rules_of
from lsp_server.fitting.names import defined_twice, head_of
from lsp_server.fitting.surroundings import Surroundings

_CONFLICT = re.compile(r"(?:<{7}|>{7}|={7}|\|{7})(?:\s|$)")
_FENCE = re.compile(r"`{3}|~{3}")
_BLOCK_WORD = re.compile(r"(?:begin|end(?:if|case|module|function|task|class)?|fi|done|esac)(?:\s*(?:#|//).*)?")
_BRACES: Final = frozenset((*C_FAMILY, *SCRIPTS, "java", "csharp", "go", "rust", "python"))
"""Languages without block words that end a block."""

_CONDITION = re.compile(r"\s*(?:\}?\s*else\s+)?(?:if|elif|elsif|while|switch|until|unless)\b(?P<rest>.*)$")
_COMPARES = re.compile(r"[=!]==?|&&|\|\||[<>]=?(?!\w)|\b(?:and|or|in|is|not)\b")
_IN_BRACKETS: Final = frozenset((*C_FAMILY, *SCRIPTS, *HARDWARE, "java", "csharp", "php", "dart", "groovy"))
"""Languages whose conditions stand in brackets as a whole."""
_CONDITION_IN_BRACKETS = re.compile(r"\s*(?:\}?\s*else\s+)?(?:if|while|switch)\s*(?=\()")
_OPERATES = re.compile(r"\s*(?:&&|\|\||[=!]=)")
_END_OF_BLOCK = re.compile(r"\s*end\b[^;\"]*\b(?:return|is|of)\b", re.IGNORECASE)
"""An end that goes on as the head of its block does, in VHDL."""
_OF_NAME = re.compile(r"\s*(?:\.|\[|->|;|$)")
_TYPE = re.compile(r"\s*(?:[A-Za-z_][\w<>,\[\]?.]*[\s*&]+)+")
_NO_TYPE = re.compile(r"\b(?:else|return|case|do|goto|using|import|export|type|namespace|throw|await|yield)\b")
_DECLARES: Final = {
    **dict.fromkeys((*C_FAMILY, "java", "csharp", "dart"), _TYPE),
    **dict.fromkeys(SCRIPTS, re.compile(r"\s*(?:export\s+)?(?:const|let)\s+")),
    "zig": re.compile(r"\s*(?:pub\s+)?(?:const|var)\s+"),
}
"""What stands before the name in a declaration whose value cannot be made of that name: ``const gpa = gpa.deinit();``.
Of 564,000 authors' lines none does that."""
_ELSE = re.compile(r"\s*else\s*(?:#.*|--.*)?$", re.IGNORECASE)
_CONDITIONAL: Final = frozenset(("elif", "elsif", "elseif"))
_ALTERNATIVE = re.compile(r"\s*else\s*[-=]>")
"""What a switch does else, as in Kotlin and Zig."""
_IF_MACRO = re.compile(r"\b(?:[A-Z0-9]+_)*IF(?:_[A-Z0-9]+)*\s*\(")
"""A macro that stands for a condition (``IF_CONSTEXPR(a) {``)."""
_LAST_ALTERNATIVE = re.compile(r"^\s*[#`]\s*else\b")

_LABEL = re.compile(r"\s*default\s*:\s*$")
"""Elsewhere ``default`` is a key or a modifier."""

_RESCUES = re.compile(r"(?:begin|do|def|(?:private|protected|private_class_method|memoize)\s+def)$")
_END = re.compile(r"[)\]}]|(?:end|join)\b\s*(?::|$|//|#)")
_WITH_ELSE: Final = frozenset({"def", "if", "when"})
_COMMENT: Final = ("#", "//", "/*", "*", "--", "@")


def misplaced(text: str, prefix: str, around: Surroundings) -> bool:
    """Return whether a line cannot begin or go on with a text.

    :param text: the line from the cursor on. :param prefix: the line before the cursor.
    """
    if _CONFLICT.match(text) and not prefix.strip():
        return True
    if around.state.span >= 0 or around.state.heredoc:
        return False
    if _FENCE.match(text) and not prefix.strip() and around.language not in FENCED:
        return True  # copied out of a document that shows code
    value = around.language == "rust" and text.strip() == "done"  # what a block returns
    if not prefix.strip() and around.language in _BRACES and _BLOCK_WORD.fullmatch(text.strip()) and not value:
        return True  # copied out of another language
    return (
        (not prefix.strip(" \t)]}") and continues_nothing(prefix + text, around, around.above, around.state))
        or (not prefix.strip() and on_wrong_level(prefix + text, around))
        or (not prefix.strip() and text[:1].isspace() and too_deep(prefix + text, around))
        or (not prefix.strip() and _second_alternative(prefix + text, prefix, around))
        or (text.lstrip()[:1] == "," and _after_condition(prefix, around.language))
        or _goes_on_behind_condition(prefix, text, around)
        or (around.language == "vhdl" and _END_OF_BLOCK.match(prefix + text) is not None)
        or _made_of_itself(prefix + text, around.language)
        or documents_statement(prefix, text, around)
        or closes_another(prefix + text, around)
        or defined_twice(prefix + text, around)
    )


def _goes_on_behind_condition(prefix: str, text: str, around: Surroundings) -> bool:
    """Return whether a text goes on with a condition whose bracket is closed: ``if (a < 0) && (b``.

    :param prefix: the line before the text.
    """
    line = prefix + text
    found = _CONDITION_IN_BRACKETS.match(line) if around.language in _IN_BRACKETS else None
    if found is None:
        return False
    depth = 0
    for mark in lexed(around.reader.rules, line).marks:
        if mark.start >= found.end():
            depth += (mark.kind == "open") - (mark.kind == "close")
            if not depth:
                behind = _OPERATES.match(line, mark.start + 1)
                return behind is not None and behind.end() > len(prefix)
    return False


def _made_of_itself(line: str, language: str) -> bool:
    """Return whether a line declares a name whose value is made of the same name."""
    left, _, right = line.partition("=")
    left, value = left.split(":")[0], right.lstrip()
    words = left.split()
    name = words[-1].lstrip("*&") if words and language in _DECLARES else ""
    if not name or not value.startswith(name) or not _OF_NAME.match(value, len(name)):
        return False
    before = left[: left.rindex(name)]
    declares = _DECLARES[language]
    # In C# a field may have the name of its type: "Color Color = Color.Red;".
    other = (language == "csharp" and words[-2:-1] == [name]) or (declares is _TYPE and _NO_TYPE.search(before))
    return not other and declares.fullmatch(before) is not None


def continues_nothing(line: str, around: Surroundings, above: Sequence[str], state: State) -> bool:
    """Return whether a line begins with a word that continues a block, and there is none.

    :param above: the lines above it. :param state: what is open there.
    """
    rules = rules_of(around.language)
    if rules.middle is None or tabbed(around.language, line):
        return False
    found = rules.middle.match(line)
    if found is None:
        return False
    if _ALTERNATIVE.match(line):
        return False
    if (found["word"] == "while" and not found["closers"]) or (found["word"] == "default" and not _LABEL.match(line)):
        return False
    wanted = rules.middles[found["word"]]
    if rules.inside or found["word"] in ("case", "default"):
        if found["word"] in _CONDITIONAL and state.code is not None and _has_else(state.code, above):
            return True
        return not _within(state.code, wanted, around.from_start, above)
    closers = found["closers"]
    if closers:
        opened: Open | None = state.code
        for _ in range(len(re.findall(r"end|.", closers)) - 1):
            opened = opened.below if opened is not None else None
        return opened is not None and not _holds(head_of(opened, above), wanted)
    if not rules.indented and state.closed is not None and above and above[-1].strip():
        return not _holds(head_of(state.closed, above), wanted)
    return not _follows(indent_of(line), wanted, above)


def _within(opened: Open | None, wanted: frozenset[str], known: bool, above: Sequence[str]) -> bool:
    """Return whether one of the innermost blocks was opened by a line with such a word.

    :param known: whether nothing is open beyond what was read.
    """
    for _ in range(3):
        if opened is None:
            return not known
        if _holds(head_of(opened, above), wanted):
            return not _RESCUES.match(opened.mark) or not wanted >= _WITH_ELSE or _rescued(opened, above)
        opened = opened.below
    return False


def _has_else(block: Open, above: Sequence[str]) -> bool:
    """Return whether the last alternative of a block, which has no condition, stands above."""
    for line in reversed(above):
        if line.strip() == block.head:
            return False
        if indent_of(line) == block.indent and _ELSE.match(line):
            return True
    return False


def _second_alternative(line: str, prefix: str, around: Surroundings) -> bool:
    """Return whether a directive is an alternative behind the last one, or the last one before another.

    :param prefix: the line before the cursor.
    """
    patterns = around.reader.rules.directive_patterns
    if patterns is None or not patterns[1].match(line):
        return False
    opens, between, closes = patterns
    if any(_LAST_ALTERNATIVE.match(other) for other in _of_condition(around.above[::-1], closes, opens, between)):
        return True
    if not _LAST_ALTERNATIVE.match(line) or around.rewritten(prefix):
        return False
    return next(_of_condition(around.below, opens, closes, between), None) is not None


def _of_condition(
    lines: Iterable[str], deeper: re.Pattern[str], ends: re.Pattern[str], between: re.Pattern[str]
) -> Iterator[str]:
    """Yield the alternatives of one condition among lines, up to its edge."""
    depth = 0
    for line in lines:
        if deeper.match(line):
            depth += 1
        elif ends.match(line):
            if not depth:
                return
            depth -= 1
        elif not depth and between.match(line):
            yield line


def _rescued(block: Open, above: Sequence[str]) -> bool:
    """Return whether a block of Ruby has a ``rescue``, without which it has no ``else``."""
    for line in reversed(above):
        if line.strip() == block.head:
            return False
        if indent_of(line) == block.indent and line.lstrip().startswith("rescue"):
            return True
    return True


def _holds(head: str, wanted: frozenset[str]) -> bool:
    return not wanted.isdisjoint(re.findall(r"\w+", head)) or ("if" in wanted and _IF_MACRO.search(head) is not None)


def _follows(indent: int, wanted: frozenset[str], above: Sequence[str]) -> bool:
    """Return whether the last line above of the same depth begins a block that can be continued."""
    for line in reversed(above):
        body = line.strip()
        if not body or body.startswith(_COMMENT) or indent_of(line) > indent or _END.match(body):
            continue
        # What an assertion does else may stand deeper than the assertion.
        return (indent_of(line) == indent or "assert" in wanted) and _holds(body, wanted)
    return False


def _after_condition(prefix: str, language: str) -> bool:
    """Return whether a condition stands before the cursor, behind which no comma can stand."""
    found = _CONDITION.match(prefix)
    if found is None or language == "swift":
        return False
    rest, depth, calls = found["rest"], 0, 0
    for at, mark in enumerate(rest):
        if mark in "([{":
            depth += 1
            calls += depth > 1 or bool(rest[:at].strip())
        elif mark in ")]}":
            depth -= 1
    if depth <= 0:
        return bool(rest.strip()) and (rest.rstrip()[-1:] == ")" or _COMPARES.search(rest) is not None)
    return depth == 1 and not calls and _COMPARES.search(rest) is not None
