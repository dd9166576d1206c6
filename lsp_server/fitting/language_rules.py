"""What opens and closes blocks in each language: comments, strings, brackets and block words, as one table.

This module is data with the regular expressions that are made of it; all patterns are matched within one line.
``marks`` reads text with them. A language that the table does not name has ``DEFAULT``: brackets and quotes.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final


@dataclass(frozen=True, eq=False)
class LanguageRules:
    """The lexical rules of one language; two are the same only if they are one object.

    :param comments: patterns of comments that end with the line.
    :param strings: patterns of whole strings, and of whatever else holds marks that count for nothing.
    :param spans: patterns of strings and comments that may go on over lines: how they begin, and how they end.
    :param quotes: marks of strings that end with their line.
    :param heredoc: pattern of the beginning of a heredoc: marks, and the word that ends it.
    :param words: block words: the word that opens -> the words that close it.
    :param phrases: the same for a pattern of what opens, where the word alone does not tell.
    :param word_form: pattern around such a word, with ``{}`` for it.
    :param word_ends: pattern of the words that close; "" for those of ``words`` and ``phrases``.
    :param directives: pattern of a preprocessor's opening, middle and closing word. They are nested independently of
        the code, and each alternative between them continues the same code.
    :param tags: whether blocks are tags (``<name>`` to ``</name>``).
    :param brackets: whether brackets count.
    :param ignore_case: whether the words may be written in capitals.
    :param indented: whether blocks are indented only, and opened by a colon.
    :param hanging: pattern of a line's beginning that ends the head of a block which began on an earlier line; how far
        that block is indented is not known.
    :param middles: a word at the start of a line that continues a block -> words of the lines that open such blocks.
    :param inside: whether such a block is still open there (``if … else … end``), unlike ``if { … } else``.
    :param unit: the blanks of one level where neither the document nor the repository says, "" for the source's.
    """

    comments: tuple[str, ...] = (r"//.*",)
    strings: tuple[str, ...] = ()
    spans: tuple[tuple[str, str], ...] = ((r"/\*", r"\*/"),)
    quotes: str = "\"'"
    heredoc: str = ""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    word_form: str = r"(?<![\w.$@:`])(?:{})(?![\w?!:])"
    word_ends: str = ""
    directives: tuple[str, str, str] | None = None
    tags: bool = False
    brackets: bool = True
    ignore_case: bool = False
    indented: bool = False
    hanging: str = ""
    middles: dict[str, frozenset[str]] = field(default_factory=dict)
    inside: bool = False
    unit: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of everything that counts on a line; the name of the group that matches is its kind."""
        quoted = "|".join(rf"{mark}(?:[^{mark}\\]|\\.)*{mark}" for mark in self.quotes)
        closing = {word for closers in (*self.words.values(), *self.phrases.values()) for word in closers}
        ends = self.word_ends or (self.word_form.format("|".join(sorted(closing))) if closing else "")
        parts = [
            ("comment", "|".join(self.comments)),
            ("heredoc", self.heredoc),
            ("string", "|".join(self.strings)),
            ("span", "|".join(begin for begin, _ in self.spans)),
            ("quoted", quoted),
            ("quote", f"[{self.quotes}]" if self.quotes else ""),
            ("open", r"[(\[{]" if self.brackets else ""),
            ("close", r"[)\]}]" if self.brackets else ""),
            ("endtag", r"</[A-Za-z][\w:.-]*\s*>|(?<!<)/>" if self.tags else ""),
            ("tag", r"<[A-Za-z][\w:.-]*" if self.tags else ""),
            *zip(("condition", "alternative", "endcondition"), self.directives or ("", "", ""), strict=True),
            ("endword", ends),
            ("phrase", "|".join(self.phrases)),
            ("word", self.word_form.format("|".join(self.words)) if self.words else ""),
            ("other", r"\w+ *"),  # so that the patterns are not tried again at every letter of a word
        ]
        joined = "|".join(f"(?P<{name}>{pattern})" for name, pattern in parts if pattern)
        return re.compile(joined, re.IGNORECASE if self.ignore_case else 0)

    @cached_property
    def span_ends(self) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
        """For each span, the patterns of its beginning and of its end."""
        return tuple((re.compile(begin), re.compile(end)) for begin, end in self.spans)

    def end_of_span(self, span: int) -> str:
        """Return the text that ends a string or comment, given by its number; "" where that is no fixed text."""
        end = self.spans[span][1].removeprefix(r"(?<!\\)").replace("\\", "")
        return "" if end[0] in "(^" else end

    def closers(self, line: str, start: int, text: str) -> tuple[str, ...]:
        """Return what closes a word or phrase that stands at ``start`` of a line."""
        return self.words.get(text.lower() if self.ignore_case else text) or next(
            closers for pattern, closers in self._phrases if pattern.match(line, start)
        )

    @cached_property
    def _phrases(self) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
        flags = re.IGNORECASE if self.ignore_case else 0
        return tuple((re.compile(pattern, flags), closers) for pattern, closers in self.phrases.items())

    @cached_property
    def middle(self) -> re.Pattern[str] | None:
        """The pattern of closing marks and a word that continues a block, at the start of a line."""
        words = "|".join(self.middles)
        return (
            re.compile(rf"\s*(?P<closers>(?:[)\]}}]|\bend\b)*)\s*(?P<word>{words})\b(?!\s*(?:=[^=>]|\.|->))")
            if words
            else None
        )


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IF: Final = _names("if")
_CATCH: Final = {"catch": _names("try catch"), "finally": _names("try catch")}
_BRACES: Final = {"else": _IF, **_CATCH}
_SWITCH: Final = {**_BRACES, "case": _names("switch select")}
_BLOCK_COMMENT: Final = (r"/\*", r"\*/")
_CHARACTER: Final = r"'(?:\\.[^'\n]*|[^\\'\n])'"
_GOES_ON: Final = (r'"(?:[^"\\]|\\.)*\\$', r'(?<!\\)"')
_HASH: Final = r"(?:^|(?<=\s))#.*"

_C: Final = LanguageRules(
    strings=(
        _CHARACTER,
        r"\b\d\w*(?:'\w+)+",
        r'R"(\w*)\(.*?\)(?P=raw)"'.replace(r"(\w*)", r"(?P<raw>\w*)"),
        r"^\s*#\s*(?:define\b.*(?<!\\)$|(?:include|error|warning|pragma|import)\b.*)",
    ),
    spans=(_BLOCK_COMMENT, (r"^\s*#\s*define\b.*\\$", r"(?:^|[^\\])$"), (r'R"\(', r'\)"'), _GOES_ON),
    directives=(r"^\s*#\s*if\w*", r"^\s*#\s*(?:else|elif\w*)\b", r"^\s*#\s*endif\b"),
    middles={"else": _names("if constexpr"), **_CATCH, "case": _names("switch")},
)
_SCRIPT: Final = LanguageRules(
    strings=(
        r"(?:^|(?<=[(,=:\[!&|?{};]))\s*/(?![*/>])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])+/[a-z]*",
        r"`(?:[^`\\$]|\\.|\$(?!\{)|\$\{[^{}`]*\})*`",
    ),
    spans=(_BLOCK_COMMENT, ("`", r"(?<!\\)`")),
    middles=_SWITCH,
)
_PYTHON: Final = LanguageRules(
    comments=(r"#.*",),
    strings=(r'"""(?:[^"\\]|\\.|"(?!""))*"""', r"'''(?:[^'\\]|\\.|'(?!''))*'''"),
    spans=(('"""', r'(?<!\\)"""'), ("'''", r"(?<!\\)'''")),
    indented=True,
    middles={
        "else": _names("if elif for while try except"),
        "elif": _names("if elif"),
        "except": _names("try except"),
        "finally": _names("try except else"),
    },
)
_SYSTEMVERILOG: Final = LanguageRules(
    quotes='"',
    strings=(
        r"(?:\bextern|\bpure|^\s*import|^\s*export|\btypedef\s+(?:interface\s+)?class)\b[^;(]*",
        r"\b(?:assert|assume|cover|restrict|expect)\s+(?:property|sequence)\b",
        r"\b(?:wait|disable)\s+fork\b|\bvirtual\s+interface\b(?!\s+class)|\bwith\s+function\b",
        r"\bmodport\b[^;]*;|`(?:define\b.*(?<!\\)$|(?:include|undef|timescale)\b.*)",
    ),
    spans=(_BLOCK_COMMENT, (r"`define\b.*\\$", r"(?:^|[^\\])$"), _GOES_ON),
    words={
        "begin": ("end",),
        "fork": ("join", "join_any", "join_none"),
        "covergroup": ("endgroup",),
        "macromodule": ("endmodule",),
        **dict.fromkeys(("case", "casex", "casez", "randcase"), ("endcase",)),
        **{
            word: (f"end{word}",)
            for word in (
                *("module", "interface", "package", "program", "class", "function", "task", "generate"),
                *("property", "sequence", "clocking", "checker", "specify"),
            )
        },
    },
    word_form=r"(?<![\w.$@`])(?:{})(?!\w)",
    # A label follows an end behind a colon, so the colon is allowed here.
    word_ends=r"(?<![\w.$@:`])(?:end(?:module|interface|package|program|class|function|task|case|generate|group"
    r"|property|sequence|clocking|checker|specify)?|join(?:_any|_none)?)(?!\w)",
    directives=(r"`ifn?def\b", r"`els(?:e|if)\b", r"`endif\b"),
    middles={"else": _names("if assert assume cover property expect foreach")},
)
_PARAMETERS: Final = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_VHDL: Final = LanguageRules(
    comments=(r"--.*",),
    strings=(
        r"'[^']'|\"[^\"]*\"",
        r"\b(?:if|case)\b(?=[^;]*\bgenerate\b)|\b(?:elsif|else)\b[^;]*\bgenerate\b|\bend\s+for\b",
        r"\bwait\s+for\b",
        r"\bnext\s+when\b",
    ),
    spans=(),
    quotes='"',
    words=dict.fromkeys(("if", "record", "units", "protected", "loop", "generate"), ("end",)),
    phrases={
        r"(?<!:)(?<!: )\bcomponent\b(?![^;]*\bport\s+map\b)": ("end",),
        r"\b(?:entity|architecture|package|configuration)\b[^;()]*\bis\b(?!\s+new\b)": ("end",),
        # What is read up to its "is" is whole: the same word on a line of its own ends a head of several lines.
        rf"\b(?:function|procedure)\b[^;()]*(?:{_PARAMETERS}[^;()]*)?\bis\b(?!\s+new\b)": ("end",),
        rf"\b(?:process|block)\b(?:\s*{_PARAMETERS})?(?:\s*is\b)?": ("end",),
        rf"\bcase\b(?:[^;()]*(?:{_PARAMETERS}[^;()]*)?\bis\b)?": ("end",),
        r"\breturn\s+[\w.]+\s+is\b|(?:^|(?<=\)))\s*is\b(?!\s+new\b)": ("end",),
    },
    hanging=r"return\b|is\b",
    word_form=r"\b(?:{})\b",
    word_ends=r"\bend\b(?:\s+(?:postponed\s+)?(?:if|process|record|units|protected|block|case|loop|generate|component"
    r"|entity|architecture|package(?:\s+body)?|configuration|function|procedure)\b)?",
    ignore_case=True,
    middles={"else": _names("if elsif case when generate"), "elsif": _names("if elsif")},
    inside=True,
)
_RUBY: Final = LanguageRules(
    comments=(_HASH,),
    heredoc=r"(?<![\w)])<<[~-]?(?:[A-Z_]\w*|\"[A-Z_]\w*\"|'[A-Z_]\w*')",
    strings=(
        r'"(?:[^"\\#]|\\.|#\{(?:[^{}"]|"[^"]*"|\{[^{}]*\})*\}|#(?!\{))*"',
        r"(?<=[(,=\s~|&!])/(?![\s=])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])+/[a-z]*",
        r"%[wWiIqQr]?(?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\]|\{(?:[^{}]|\{[^{}]*\})*\})",
        r"%[wWiIqQr](?P<edge>[!|/~@,])(?:\\.|(?!(?P=edge)).)*(?P=edge)",
        r"(?<=[\s(,\[])\?[\"'(\[{)\]}](?!\w)",
        r"(?:^\s*)?(?<![\w.])def\s+[\w.?!]+(?:\([^()]*\))?\s+=\s",
    ),
    spans=((r"^=begin\b", r"^=end\b"),),
    quotes="\"'`",
    words={"do": ("end",)},
    phrases={
        r"^\s*(?:while|until|for)\b(?:[^#]*\bdo\b(?=\s*$))?": ("end",),
        r"(?:^\s*|[=(,;|&]\s*)(?:if|unless|case|begin)(?![\w?!:.])": ("end",),
        r"(?:^\s*|[;=]\s*|\b(?:private|protected|private_class_method|memoize)\s+)def(?![\w?!:.])": ("end",),
        r"(?:^\s*|[;=]\s*)(?:class|module)(?![\w?!:.])": ("end",),
    },
    word_ends=r"(?<![\w.:$@])end(?![\w?!:])",
    middles={
        "else": _names("if unless elsif case when in begin rescue def do"),
        "elsif": _IF,
        "when": _names("case"),
        "rescue": _names("begin def do class module"),
        "ensure": _names("begin def do class module"),
    },
    inside=True,
)
_SHELL: Final = LanguageRules(
    comments=(_HASH,),
    heredoc=r"(?<!<)<<-?\s*(?:[A-Za-z_]\w*|\"[A-Za-z_]\w*\"|'[A-Za-z_]\w*'|\\[A-Za-z_]\w*)",
    strings=(
        r"\\.",
        r"\$\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\$\{[^}]*\}",
        r"\$[#?!*@$-]",
        r"'[^']*'",
        r"^\s*[^\s()#;&`{}<>|]+(?:\s*\|\s*[^\s()#;&`{}<>|]+)*\)(?=\s|$)",
        r'"(?:[^"\\$]|\\.|\$\((?:[^()"]|"[^"]*"|\([^()]*\))*\)|\$(?!\())*"',
    ),
    spans=(('"', r'(?<!\\)"'), ("'", "'")),
    quotes='"`',
    phrases={
        r"(?:^\s*|[;&|({!]\s*|\b(?:then|do|else)\s+)if(?=\s)": ("fi",),
        r"(?:^\s*|[;&|({!]\s*|\b(?:then|do|else)\s+)case(?=\s)": ("esac",),
        r"(?:^\s*|;\s*)do(?=\s|$)": ("done",),
    },
    word_ends=r"(?:^\s*|[;&]\s*)(?:fi|esac|done)(?![\w=-])",
    middles={"else": _names("if elif"), "elif": _IF, "then": _names("if elif")},
    inside=True,
)
_VOID: Final = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_HTML: Final = LanguageRules(
    comments=(),
    strings=(
        rf"<(?:{_VOID})\b(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*>",
        r"<!(?!--)\w[^>]*>?",
        r"(?<==)\"[^\"]*\"",
        r"(?<==)'[^']*'",
    ),
    spans=(("<!--", "-->"), (rf"<(?:{_VOID})\b(?=[^<>]*$)", ">"), (r"(?<==)\"", '"')),
    quotes="",
    tags=True,
    brackets=False,
    ignore_case=True,
)
_ENDS: Final = _names("if elseif")

DEFAULT: Final = LanguageRules(middles=_BRACES)
"""The rules of languages that the table does not name."""

RULES: Final[dict[str, LanguageRules]] = {
    "python": _PYTHON,
    "starlark": _PYTHON,
    "go": LanguageRules(
        strings=(_CHARACTER, "`[^`]*`"),
        spans=(_BLOCK_COMMENT, ("`", "`")),
        quotes='"',
        middles={"else": _IF, "case": _names("switch select")},
        unit="\t",
    ),
    "c": _C,
    "cpp": _C,
    "objc": _C,
    "java": LanguageRules(
        strings=(_CHARACTER, r'"""(?:[^"\\]|\\.|"(?!""))*"""'),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        middles=_SWITCH,
    ),
    "csharp": LanguageRules(
        strings=(_CHARACTER, r'\$?@\$?"(?:[^"]|"")*"', r'"""(?:[^"]|"(?!""))*"""'),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        directives=(r"^\s*#\s*if\b", r"^\s*#\s*(?:else|elif)\b", r"^\s*#\s*endif\b"),
        middles=_SWITCH,
    ),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "rust": LanguageRules(
        strings=(_CHARACTER, r"'(?:static|[a-z_]\w*)(?!')", r'r#"(?:[^"]|"(?!#))*"#', r'"(?:[^"\\]|\\.)*"'),
        spans=(_BLOCK_COMMENT, ('r#"', '"#'), ('"', r'(?<!\\)"')),
        quotes="",
        middles={"else": _names("if let")},
    ),
    "verilog": _SYSTEMVERILOG,
    "systemverilog": _SYSTEMVERILOG,
    "vhdl": _VHDL,
    "make": LanguageRules(
        comments=(_HASH,),
        strings=(r"\$\$[^({]", r"\\.", r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"),
        spans=(),
        quotes="",
        phrases={r"^\s*ifn?(?:eq|def)\b": ("endif",), r"^ *(?:override\s+)?define\b": ("endef",)},
        word_ends=r"^\s*(?:endif|endef)\b",
        middles={"else": _names("ifeq ifneq ifdef ifndef")},
        inside=True,
        unit="\t",
    ),
    "yaml": LanguageRules(comments=(_HASH,), spans=(), strings=(r"(?<=\w)'(?=\w)",)),
    "toml": LanguageRules(
        comments=(r"#.*",), strings=(r'"""(?:[^"]|"(?!""))*"""',), spans=(('"""', '"""'), ("'''", "'''"))
    ),
    "json": LanguageRules(quotes='"'),
    "ruby": _RUBY,
    "bash": _SHELL,
    "html": _HTML,
    "xml": _HTML,
    "lua": LanguageRules(
        comments=(r"--(?!\[\[).*",),
        spans=((r"--\[\[", r"\]\]"), (r"\[\[", r"\]\]")),
        words={"function": ("end",), "do": ("end",), "if": ("end",), "repeat": ("until",)},
        middles={"else": _ENDS, "elseif": _ENDS},
        inside=True,
    ),
    "elixir": LanguageRules(
        comments=(_HASH,), words={"do": ("end",), "fn": ("end",)}, middles={"else": _names("if with try")}, inside=True
    ),
    "julia": LanguageRules(
        comments=(_HASH,),
        spans=(('"""', '"""'),),
        phrases={r"^\s*(?:if|for|while|function|struct|module|begin|let|try|macro|mutable\s+struct|quote)\b": ("end",)},
        quotes='"',
        inside=True,
    ),
    "hcl": LanguageRules(comments=(_HASH, r"//.*")),
    "css": LanguageRules(comments=()),
    "dockerfile": LanguageRules(comments=(_HASH,), spans=(), brackets=False, quotes=""),
    "markdown": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "text": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "rst": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "powershell": LanguageRules(comments=(_HASH,), spans=((r"<#", r"#>"),), middles={"else": _names("if elseif")}),
    "sql": LanguageRules(comments=(r"--.*",)),
    "haskell": LanguageRules(comments=(r"--.*",), spans=((r"\{-", r"-\}"),), quotes='"'),
    "nix": LanguageRules(comments=(_HASH,), spans=(_BLOCK_COMMENT, ("''", "''")), quotes='"'),
    "perl": LanguageRules(
        comments=(_HASH,),
        heredoc=r"<<~?(?:[A-Z_]\w*|\"[A-Z_]\w*\"|'[A-Z_]\w*')",
        spans=(),
        middles={"else": _names("if elsif unless"), "elsif": _IF},
    ),
    "php": LanguageRules(comments=(r"//.*", _HASH), spans=(_BLOCK_COMMENT,), middles=_SWITCH),
    "tcl": LanguageRules(comments=(r"^\s*#.*",), spans=(), quotes='"'),
    "cmake": LanguageRules(comments=(_HASH,), strings=(r'"(?:[^"\\]|\\.)*"',), spans=(('"', r'(?<!\\)"'),), quotes=""),
    "r": LanguageRules(comments=(_HASH,), spans=(), middles=_BRACES),
    "scala": LanguageRules(
        strings=(_CHARACTER, r"'\w+"), spans=(_BLOCK_COMMENT, ('"""', '"""')), quotes='"', middles=_BRACES
    ),
    "kotlin": LanguageRules(
        strings=(_CHARACTER,), spans=(_BLOCK_COMMENT, ('"""', '"""')), middles={"else": _names("if when")}
    ),
    "zig": LanguageRules(
        spans=(), strings=(_CHARACTER, r"\\\\.*"), quotes='"', middles={"else": _names("if while for switch")}
    ),
    "lisp": LanguageRules(comments=(";.*",), strings=(r"#\\.",), spans=(("#\\|", "\\|#"),), quotes='"'),
    "clojure": LanguageRules(comments=(";.*",), strings=(r"\\.",), spans=(), quotes='"'),
    "ocaml": LanguageRules(comments=(), strings=(_CHARACTER,), spans=((r"\(\*", r"\*\)"),), quotes='"'),
    "ada": LanguageRules(comments=(r"--.*",), strings=(_CHARACTER,), spans=(), quotes='"'),
    "ini": LanguageRules(comments=(r"[#;].*",), spans=(), quotes="", brackets=False),
}
"""The rules of each language that needs other ones than ``DEFAULT``."""
