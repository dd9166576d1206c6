"""What opens and closes blocks in each language: comments, strings, brackets and block words, as one table.

A language that the table does not name has ``DEFAULT``: brackets and quotes. The longest rules of languages with block
words stand in ``block_word_rules``.
"""

from typing import Final

from lsp_server.fitting.block_word_rules import RUBY, SHELL, SYSTEMVERILOG, VHDL
from lsp_server.fitting.language_rules import BLOCK_COMMENT, GOES_ON, HASH, IF, LanguageRules, names

_CATCH: Final = {"catch": names("try catch"), "finally": names("try catch")}
_BRACES: Final = {"else": IF, **_CATCH}
_LABELS: Final = dict.fromkeys(("case", "default"), names("switch select"))
_LOOP: Final = {"while": names("do")}
"""A ``while`` continues a block only behind the bracket that ends it, see :func:`starts.continues_nothing`."""

_SWITCH: Final = {**_BRACES, **_LOOP, **_LABELS}
_CHARACTER: Final = r"'(?:\\.[^'\n]*|[^\\'\n])'"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_SINGLE: Final = r"'(?:[^'\\]|\\.)*'"
_DOUBLED: Final = r"'(?:[^']|'')*'(?!')"
_STRING: Final = ('"', r'(?<!\\)"')
_TRIPLE: Final = r'"""(?:[^"\\]|\\.|"(?!""))*"""'
_TRIPLE_RAW: Final = r'"""(?:[^"]|"(?!""))*"""+'  # quotes before the last three belong to the string
_PLAIN: Final = r"[^\s\"'`/()\[\]{}]+"

_C: Final = LanguageRules(
    plain=r"[^\s\"'/()\[\]{}#\dR]+",
    strings=(
        _CHARACTER,
        r"\b\d\w*(?:'\w+)+",
        r'R"(\w*)\(.*?\)(?P=raw)"'.replace(r"(\w*)", r"(?P<raw>\w*)"),
        r"^\s*#\s*(?:define\b.*(?<!\\)$|(?:include|error|warning|pragma|import)\b.*)",
    ),
    spans=(BLOCK_COMMENT, (r"^\s*#\s*define\b.*\\$", r"(?:^|[^\\])$"), (r'R"\(', r'\)"'), GOES_ON),
    directives=(r"^\s*#\s*if\w*", r"^\s*#\s*(?:else|elif\w*)\b", r"^\s*#\s*endif\b"),
    middles={"else": names("if constexpr"), **_CATCH, **_LOOP, **_LABELS},
)
_SCRIPT: Final = LanguageRules(
    plain=_PLAIN,
    strings=(
        r"(?:^|(?<=[(,=:\[!&|?{};]))\s*/(?![*/>])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])+/[a-z]*",
        r"`(?:[^`\\$]|\\.|\$(?!\{)|\$\{[^{}`]*\})*`",
    ),
    spans=(BLOCK_COMMENT, ("`", r"(?<!\\)`")),
    middles=_SWITCH,
)
_PYTHON: Final = LanguageRules(
    plain=r"[^\s#\"'()\[\]{}]+",
    comments=(r"#.*",),
    strings=(_TRIPLE, r"'''(?:[^'\\]|\\.|'(?!''))*'''"),
    spans=(('"""', r'(?<!\\)"""'), ("'''", r"(?<!\\)'''"), GOES_ON),
    indented=True,
    middles={
        "else": names("if elif for while try except"),
        "elif": names("if elif"),
        "except": names("try except"),
        "finally": names("try except else"),
    },
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
_ENDS: Final = names("if elseif")

DEFAULT: Final = LanguageRules(middles=_BRACES)
"""The rules of languages that the table does not name."""

RULES: Final[dict[str, LanguageRules]] = {
    "python": _PYTHON,
    "starlark": _PYTHON,
    "go": LanguageRules(
        plain=_PLAIN,
        strings=(_CHARACTER, "`[^`]*`"),
        spans=(BLOCK_COMMENT, ("`", "`")),
        quotes='"',
        middles={"else": IF, **_LABELS},
        unit="\t",
    ),
    "c": _C,
    "cpp": _C,
    "objc": _C,
    "java": LanguageRules(
        plain=_PLAIN,
        strings=(_CHARACTER, _TRIPLE),
        spans=(BLOCK_COMMENT, ('"""', '"""')),
        middles=_SWITCH,
    ),
    "csharp": LanguageRules(
        strings=(_CHARACTER, r'(?:@\$?|\$@)"(?:[^"]|"")*"(?!")', _TRIPLE_RAW),
        spans=(BLOCK_COMMENT, ('"""', '"""'), (r'(?:@\$?|\$@)"', r'(?<!")(?:"")*"(?!")')),
        directives=(r"^\s*#\s*if\b", r"^\s*#\s*(?:else|elif)\b", r"^\s*#\s*endif\b"),
        middles=_SWITCH,
    ),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "rust": LanguageRules(
        plain=r"[^\s\"'/()\[\]{}r]+",
        strings=(_CHARACTER, r"'(?:static|[a-z_]\w*)(?!')", r'r#"(?:[^"]|"(?!#))*"#', r'"(?:[^"\\]|\\.)*"'),
        spans=(BLOCK_COMMENT, ('r#"', '"#'), ('"', r'(?<!\\)"')),
        quotes="",
        middles={"else": names("if let")},
    ),
    "verilog": SYSTEMVERILOG,
    "systemverilog": SYSTEMVERILOG,
    "vhdl": VHDL,
    "make": LanguageRules(
        comments=(HASH,),
        strings=(r"\$\$[^({]", r"\\.", r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"),
        spans=(),
        quotes="",
        phrases={r"^\s*ifn?(?:eq|def)\b": ("endif",), r"^ *(?:override\s+)?define\b": ("endef",)},
        word_ends=r"^\s*(?:endif|endef)\b",
        middles={"else": names("ifeq ifneq ifdef ifndef")},
        inside=True,
        unit="\t",
    ),
    "yaml": LanguageRules(
        comments=(HASH,),
        # In text without quotes an apostrophe begins no string.
        strings=(r"(?<=\w)'(?=\w)", _QUOTED, _DOUBLED),
        spans=((r'(?<=[:-] )"', r'(?<!\\)"'), (r"(?<=[:,-] )'|(?<=[\[{])'", r"(?<!')(?:'')*'(?!')")),
        quotes='"',
    ),
    "toml": LanguageRules(
        comments=(r"#.*",), strings=(r'"""(?:[^"]|"(?!""))*"""',), spans=(('"""', '"""'), ("'''", "'''"))
    ),
    "json": LanguageRules(quotes='"'),
    "ruby": RUBY,
    "bash": SHELL,
    "zsh": SHELL,
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
        comments=(HASH,),
        strings=(
            r"~[a-zA-Z]+(?:\((?:[^()\\]|\\.)*\)|\[(?:[^\[\]\\]|\\.)*\]|\{(?:[^{}\\]|\\.)*\}|<[^<>]*>)",
            r"~[a-zA-Z]+(?P<sigil>[/|]|\"(?!\"\")|'(?!''))(?:\\.|(?!(?P=sigil)).)*(?P=sigil)",
            r"(?<![\w?])\?\\?[\"'(\[{)\]}]",
        ),
        spans=(('"""', '"""'), ("'''", "'''")),
        words={"do": ("end",), "fn": ("end",)},
        middles={"else": names("if with try")},
        inside=True,
    ),
    "julia": LanguageRules(
        comments=(HASH,),
        strings=(r"(?<![\w)\]}'.])'(?:\\.[^'\n]*|[^\\'\n])'", _TRIPLE),
        spans=(('"""', '"""'), ("#=", "=#")),
        phrases={
            r"^\s*(?:(?:[\w.]*@[\w.]+|return|local|global|const|\w[\w.,\[\] ]*\s=)\s+)*(?:if|for|while|function|struct"
            r"|module|baremodule|let|try|macro|mutable\s+struct|abstract\s+type|primitive\s+type|quote)\b(?!\s*=)": (
                "end",
            ),
            r"^\s*@\w+\s+\"[^\"]*\"[^\[(]*\bfor\b|(?<=[=,]\s)(?:if|let|try|quote|function)\b": ("end",),
            r"(?<=\()(?:if|for|while|let|function)\b|(?<![\w.:\[!@])begin(?![\w\]:])": ("end",),
            r"(?<![\w.:!@])do(?=\s*(?:#.*)?$|\s+[\w(][^=;]*$)": ("end",),
        },
        word_ends=r"(?<![\w.:$@\[])end(?!\w|\s*[\]+*/-])",
        quotes='"',
        inside=True,
    ),
    "hcl": LanguageRules(comments=(HASH, r"//.*")),
    "css": LanguageRules(comments=()),
    "dockerfile": LanguageRules(comments=(HASH,), spans=(), brackets=False, quotes=""),
    "markdown": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "text": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "rst": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "powershell": LanguageRules(
        comments=(HASH,),
        strings=(r'"(?:[^"`$]|`.|""|\$\((?:[^()"]|"[^"]*"|\([^()]*\))*\)|\$(?!\())*"', _DOUBLED),
        spans=((r"<#", r"#>"), (r"@'\s*$", r"^'@"), (r'@"\s*$', r'^"@'), ('"', r'(?<!`)"'), ("'", "'")),
        quotes="",
        middles={"else": names("if elseif")},
    ),
    "erlang": LanguageRules(
        comments=(r"%.*",), strings=(r"\$\\?.", _QUOTED), spans=(('"""', '"""'), ('"', r'(?<!\\)"')), quotes="'"
    ),
    "fsharp": LanguageRules(
        strings=(_CHARACTER, r"'[A-Za-z_]\w*|(?<=\w)'+", _TRIPLE_RAW, r'@"(?:[^"]|"")*"(?!")', _QUOTED, "``[^`]*``"),
        spans=((r"\(\*(?!\))", r"\*\)"), ('"""', '"""'), _STRING),
        quotes="",
    ),
    "sql": LanguageRules(
        comments=(r"--.*",),
        strings=(r"'(?:\\'|''|[^'])*'(?!')",),
        spans=(BLOCK_COMMENT, ("'", r"(?<![\\'])(?:'')*'(?!')")),
        quotes='"',
    ),
    "haskell": LanguageRules(
        comments=(r"--+(?![!#$%&*+./<=>?@\\^|~:]).*",),
        strings=(r"(?<![\w'])'(?:\\.[^'\n]*|[^\\'\n])'",),
        spans=((r"\{-", r"-\}"),),
        quotes='"',
    ),
    "nix": LanguageRules(comments=(HASH,), spans=(BLOCK_COMMENT, ("''", "''")), quotes='"'),
    "perl": LanguageRules(
        comments=(HASH,),
        heredoc=r"<<~?(?:[A-Z_]\w*|\"[A-Z_]\w*\"|'[A-Z_]\w*')",
        spans=((r"^=[a-z]\w*", r"^=cut\b"),),
        middles={"else": names("if elsif unless"), "elsif": IF},
    ),
    "php": LanguageRules(
        comments=(r"//.*", HASH),
        strings=(_QUOTED, _SINGLE),
        spans=(BLOCK_COMMENT, (r'(?<=[\s(=.,\[])"', r'(?<!\\)"'), (r"(?<=[\s(=.,\[])'", r"(?<!\\)'")),
        middles=_SWITCH,
    ),
    "tcl": LanguageRules(comments=(r"^\s*#.*",), spans=(), quotes='"'),
    "cmake": LanguageRules(comments=(HASH,), strings=(_QUOTED,), spans=(('"', r'(?<!\\)"'),), quotes=""),
    "r": LanguageRules(
        comments=(HASH,),
        strings=(_QUOTED, _SINGLE),
        spans=(('"', r'(?<!\\)"'), ("'", r"(?<!\\)'")),
        quotes="",
        middles=_BRACES,
    ),
    "scala": LanguageRules(
        strings=(_CHARACTER, r"'\w+", _TRIPLE_RAW),
        spans=(BLOCK_COMMENT, ('"""', '"""')),
        quotes='"',
        middles=_BRACES,
    ),
    "kotlin": LanguageRules(
        strings=(_CHARACTER, _TRIPLE_RAW),
        spans=(BLOCK_COMMENT, ('"""', '"""')),
        middles={"else": names("if when")},
    ),
    "swift": LanguageRules(
        strings=(_TRIPLE, r'#"(?:[^"]|"(?!#))*"#'),
        spans=(BLOCK_COMMENT, ('"""', '"""')),
        quotes='"',
        middles=_BRACES,
    ),
    "dart": LanguageRules(
        strings=(r"r'[^']*'(?!')", r'r"[^"]*"(?!")', _TRIPLE, r"'''(?:[^'\\]|\\.|'(?!''))*'''"),
        spans=(BLOCK_COMMENT, ('"""', '"""'), ("'''", "'''")),
        middles=_BRACES,
    ),
    "zig": LanguageRules(
        spans=(), strings=(_CHARACTER, r"\\\\.*"), quotes='"', middles={"else": names("if while for switch")}
    ),
    "lisp": LanguageRules(comments=(";.*",), strings=(r"#\\.", _QUOTED), spans=(("#\\|", "\\|#"), _STRING), quotes=""),
    "clojure": LanguageRules(comments=(";.*",), strings=(r"\\.", _QUOTED), spans=(_STRING,), quotes=""),
    "ocaml": LanguageRules(comments=(), strings=(_CHARACTER,), spans=((r"\(\*", r"\*\)"),), quotes='"'),
    "ada": LanguageRules(comments=(r"--.*",), strings=(_CHARACTER,), spans=(), quotes='"'),
    "ini": LanguageRules(comments=(r"[#;].*",), spans=(), quotes="", brackets=False),
}
"""The rules of each language that needs other ones than ``DEFAULT``."""
