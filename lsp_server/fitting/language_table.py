"""What opens and closes blocks in each language: comments, strings, brackets and block words, as one table.

A language that the table does not name has ``DEFAULT``: brackets and quotes.
"""

from typing import Final

from lsp_server.fitting.language_rules import LanguageRules


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_IF: Final = _names("if")
_CATCH: Final = {"catch": _names("try catch"), "finally": _names("try catch")}
_BRACES: Final = {"else": _IF, **_CATCH}
_LABELS: Final = dict.fromkeys(("case", "default"), _names("switch select"))
_LOOP: Final = {"while": _names("do")}
"""A ``while`` continues a block only behind the bracket that ends it, see :func:`starts.continues_nothing`."""

_SWITCH: Final = {**_BRACES, **_LOOP, **_LABELS}
_BLOCK_COMMENT: Final = (r"/\*", r"\*/")
_CHARACTER: Final = r"'(?:\\.[^'\n]*|[^\\'\n])'"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_SINGLE: Final = r"'(?:[^'\\]|\\.)*'"
_DOUBLED: Final = r"'(?:[^']|'')*'(?!')"
_STRING: Final = ('"', r'(?<!\\)"')
_TRIPLE: Final = r'"""(?:[^"\\]|\\.|"(?!""))*"""'
_TRIPLE_RAW: Final = r'"""(?:[^"]|"(?!""))*"""+'  # quotes before the last three belong to the string
_GOES_ON: Final = (r'"(?:[^"\\]|\\.)*\\$', r'(?<!\\)"')
_HASH: Final = r"(?:^|(?<=\s))#.*"
_PLAIN: Final = r"[^\s\"'`/()\[\]{}]+"

_C: Final = LanguageRules(
    plain=r"[^\s\"'/()\[\]{}#\dR]+",
    strings=(
        _CHARACTER,
        r"\b\d\w*(?:'\w+)+",
        r'R"(\w*)\(.*?\)(?P=raw)"'.replace(r"(\w*)", r"(?P<raw>\w*)"),
        r"^\s*#\s*(?:define\b.*(?<!\\)$|(?:include|error|warning|pragma|import)\b.*)",
    ),
    spans=(_BLOCK_COMMENT, (r"^\s*#\s*define\b.*\\$", r"(?:^|[^\\])$"), (r'R"\(', r'\)"'), _GOES_ON),
    directives=(r"^\s*#\s*if\w*", r"^\s*#\s*(?:else|elif\w*)\b", r"^\s*#\s*endif\b"),
    middles={"else": _names("if constexpr"), **_CATCH, **_LOOP, **_LABELS},
)
_SCRIPT: Final = LanguageRules(
    plain=_PLAIN,
    strings=(
        r"(?:^|(?<=[(,=:\[!&|?{};]))\s*/(?![*/>])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\[])+/[a-z]*",
        r"`(?:[^`\\$]|\\.|\$(?!\{)|\$\{[^{}`]*\})*`",
    ),
    spans=(_BLOCK_COMMENT, ("`", r"(?<!\\)`")),
    middles=_SWITCH,
)
_PYTHON: Final = LanguageRules(
    plain=r"[^\s#\"'()\[\]{}]+",
    comments=(r"#.*",),
    strings=(_TRIPLE, r"'''(?:[^'\\]|\\.|'(?!''))*'''"),
    spans=(('"""', r'(?<!\\)"""'), ("'''", r"(?<!\\)'''"), _GOES_ON),
    indented=True,
    middles={
        "else": _names("if elif for while try except"),
        "elif": _names("if elif"),
        "except": _names("try except"),
        "finally": _names("try except else"),
    },
)
_SYSTEMVERILOG: Final = LanguageRules(
    plain=r"\b(?!(?:extern|pure|import|export|typedef|assert|assume|cover|restrict|expect|wait|disable|virtual|with"
    r"|modport|end|join|begin|fork|macromodule|case|randcase|module|interface|package|program|class|function|task|generate"
    r"|property|sequence|clocking|checker|specify))\w+|[=;,.:<>+*&|]+",
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
        r"\b(?:alias|attribute)\b[^;]*\bis\b",
    ),
    spans=(),
    quotes='"',
    words=dict.fromkeys(("if", "record", "units", "protected", "loop", "generate"), ("end",)),
    phrases={
        r"(?<!:)(?<!: )\bcomponent\b(?![^;]*\bport\s+map\b)": ("end",),
        r"\b(?:entity|architecture|package|configuration|context)\b[^;()]*\bis\b(?!\s+new\b)": ("end",),
        # What is read up to its "is" is whole: the same word on a line of its own ends a head of several lines.
        rf"\b(?:function|procedure)\b[^;()]*(?:{_PARAMETERS}[^;()]*)?\bis\b(?!\s+new\b)": ("end",),
        rf"\b(?:process|block)\b(?:\s*{_PARAMETERS})?(?:\s*is\b)?": ("end",),
        rf"\bcase\b(?:[^;()]*(?:{_PARAMETERS}[^;()]*)?\bis\b)?": ("end",),
        r"\breturn\s+[\w.]+\s+is\b|(?:^|(?<=\)))\s*is\b(?!\s+new\b)": ("end",),
    },
    hanging=r"return\b|is\b",
    word_form=r"\b(?:{})\b",
    word_ends=r"\bend\b(?:\s+(?:postponed\s+)?(?:if|process|record|units|protected|block|case|loop|generate|component"
    r"|entity|architecture|package(?:\s+body)?|configuration|context|function|procedure)\b)?",
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
        r"(?<=[\s(,\[])\?[\"'(\[{)\]}](?!\w)|\$[\"'`]",
        r"(?:^\s*)?(?<![\w.])def\s+[\w.?!]+(?:\([^()]*\))?\s+=\s",
    ),
    spans=(
        (r"^=begin\b", r"^=end\b"),
        (r"(?<=[\s(,=])\"(?=[^\"]*$)", r'(?<!\\)"'),
        (r"(?<=[\s(,=])'(?=[^']*$)", r"(?<!\\)'"),
    ),
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
_SUBSTITUTION: Final = r"[^\"$\\]*\$\((?=[^()\"]*$)"
"""In shell, the start of a string up to a command that goes on over lines."""

_SHELL: Final = LanguageRules(
    comments=(_HASH,),
    heredoc=r"(?<!<)<<-?\s*(?:[A-Za-z_]\w*|!(?=\s*$)|\"[A-Za-z_]\w*\"|'[A-Za-z_]\w*'|\\[A-Za-z_]\w*)",
    strings=(
        r"\\.",
        r"\$\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\$\{[^}]*\}",
        r"\$[#?!*@$-]",
        r"'[^']*'",
        r"^\s*[^\s()#;&`{}<>|]+(?:\s*\|\s*[^\s()#;&`{}<>|]+)*\)(?=\s|$)",
        r'"(?:[^"\\$]|\\.|\$\((?:[^()"]|"[^"]*"|\([^()]*\))*\)|\$(?!\())*"',
    ),
    spans=((rf'"(?!{_SUBSTITUTION})', r'(?<!\\)"'), ("'", "'")),
    quotes="`",
    phrases={
        rf'"{_SUBSTITUTION}': (')"',),
        r"(?:^\s*|[;&|({!]\s*|\b(?:then|do|else)\s+)if(?=\s|$)": ("fi",),
        r"(?:^\s*|[;&|({!]\s*|\b(?:then|do|else)\s+)case(?=\s|$)": ("esac",),
        r"(?:^\s*|;\s*)do(?=\s|$)": ("done",),
    },
    word_ends=r"(?:^\s*|[;&]\s*)(?:fi|esac|done)(?![\w=-])|\)\"",
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
        plain=_PLAIN,
        strings=(_CHARACTER, "`[^`]*`"),
        spans=(_BLOCK_COMMENT, ("`", "`")),
        quotes='"',
        middles={"else": _IF, **_LABELS},
        unit="\t",
    ),
    "c": _C,
    "cpp": _C,
    "objc": _C,
    "java": LanguageRules(
        plain=_PLAIN,
        strings=(_CHARACTER, _TRIPLE),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        middles=_SWITCH,
    ),
    "csharp": LanguageRules(
        strings=(_CHARACTER, r'(?:@\$?|\$@)"(?:[^"]|"")*"(?!")', _TRIPLE_RAW),
        spans=(_BLOCK_COMMENT, ('"""', '"""'), (r'(?:@\$?|\$@)"', r'(?<!")(?:"")*"(?!")')),
        directives=(r"^\s*#\s*if\b", r"^\s*#\s*(?:else|elif)\b", r"^\s*#\s*endif\b"),
        middles=_SWITCH,
    ),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "rust": LanguageRules(
        plain=r"[^\s\"'/()\[\]{}r]+",
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
    "yaml": LanguageRules(
        comments=(_HASH,),
        # In text without quotes an apostrophe begins no string.
        strings=(r"(?<=\w)'(?=\w)", _QUOTED, _DOUBLED),
        spans=((r'(?<=[:-] )"', r'(?<!\\)"'), (r"(?<=[:,-] )'|(?<=[\[{])'", r"(?<!')(?:'')*'(?!')")),
        quotes='"',
    ),
    "toml": LanguageRules(
        comments=(r"#.*",), strings=(r'"""(?:[^"]|"(?!""))*"""',), spans=(('"""', '"""'), ("'''", "'''"))
    ),
    "json": LanguageRules(quotes='"'),
    "ruby": _RUBY,
    "bash": _SHELL,
    "zsh": _SHELL,
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
        comments=(_HASH,),
        strings=(
            r"~[a-zA-Z]+(?:\((?:[^()\\]|\\.)*\)|\[(?:[^\[\]\\]|\\.)*\]|\{(?:[^{}\\]|\\.)*\}|<[^<>]*>)",
            r"~[a-zA-Z]+(?P<sigil>[/|]|\"(?!\"\")|'(?!''))(?:\\.|(?!(?P=sigil)).)*(?P=sigil)",
            r"(?<![\w?])\?\\?[\"'(\[{)\]}]",
        ),
        spans=(('"""', '"""'), ("'''", "'''")),
        words={"do": ("end",), "fn": ("end",)},
        middles={"else": _names("if with try")},
        inside=True,
    ),
    "julia": LanguageRules(
        comments=(_HASH,),
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
    "hcl": LanguageRules(comments=(_HASH, r"//.*")),
    "css": LanguageRules(comments=()),
    "dockerfile": LanguageRules(comments=(_HASH,), spans=(), brackets=False, quotes=""),
    "markdown": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "text": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "rst": LanguageRules(comments=(), spans=(), brackets=False, quotes=""),
    "powershell": LanguageRules(
        comments=(_HASH,),
        strings=(r'"(?:[^"`$]|`.|""|\$\((?:[^()"]|"[^"]*"|\([^()]*\))*\)|\$(?!\())*"', _DOUBLED),
        spans=((r"<#", r"#>"), (r"@'\s*$", r"^'@"), (r'@"\s*$', r'^"@'), ('"', r'(?<!`)"'), ("'", "'")),
        quotes="",
        middles={"else": _names("if elseif")},
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
        spans=(_BLOCK_COMMENT, ("'", r"(?<![\\'])(?:'')*'(?!')")),
        quotes='"',
    ),
    "haskell": LanguageRules(
        comments=(r"--+(?![!#$%&*+./<=>?@\\^|~:]).*",),
        strings=(r"(?<![\w'])'(?:\\.[^'\n]*|[^\\'\n])'",),
        spans=((r"\{-", r"-\}"),),
        quotes='"',
    ),
    "nix": LanguageRules(comments=(_HASH,), spans=(_BLOCK_COMMENT, ("''", "''")), quotes='"'),
    "perl": LanguageRules(
        comments=(_HASH,),
        heredoc=r"<<~?(?:[A-Z_]\w*|\"[A-Z_]\w*\"|'[A-Z_]\w*')",
        spans=((r"^=[a-z]\w*", r"^=cut\b"),),
        middles={"else": _names("if elsif unless"), "elsif": _IF},
    ),
    "php": LanguageRules(
        comments=(r"//.*", _HASH),
        strings=(_QUOTED, _SINGLE),
        spans=(_BLOCK_COMMENT, (r'(?<=[\s(=.,\[])"', r'(?<!\\)"'), (r"(?<=[\s(=.,\[])'", r"(?<!\\)'")),
        middles=_SWITCH,
    ),
    "tcl": LanguageRules(comments=(r"^\s*#.*",), spans=(), quotes='"'),
    "cmake": LanguageRules(comments=(_HASH,), strings=(_QUOTED,), spans=(('"', r'(?<!\\)"'),), quotes=""),
    "r": LanguageRules(
        comments=(_HASH,),
        strings=(_QUOTED, _SINGLE),
        spans=(('"', r'(?<!\\)"'), ("'", r"(?<!\\)'")),
        quotes="",
        middles=_BRACES,
    ),
    "scala": LanguageRules(
        strings=(_CHARACTER, r"'\w+", _TRIPLE_RAW),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        quotes='"',
        middles=_BRACES,
    ),
    "kotlin": LanguageRules(
        strings=(_CHARACTER, _TRIPLE_RAW),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        middles={"else": _names("if when")},
    ),
    "swift": LanguageRules(
        strings=(_TRIPLE, r'#"(?:[^"]|"(?!#))*"#'),
        spans=(_BLOCK_COMMENT, ('"""', '"""')),
        quotes='"',
        middles=_BRACES,
    ),
    "dart": LanguageRules(
        strings=(r"r'[^']*'(?!')", r'r"[^"]*"(?!")', _TRIPLE, r"'''(?:[^'\\]|\\.|'(?!''))*'''"),
        spans=(_BLOCK_COMMENT, ('"""', '"""'), ("'''", "'''")),
        middles=_BRACES,
    ),
    "zig": LanguageRules(
        spans=(), strings=(_CHARACTER, r"\\\\.*"), quotes='"', middles={"else": _names("if while for switch")}
    ),
    "lisp": LanguageRules(comments=(";.*",), strings=(r"#\\.", _QUOTED), spans=(("#\\|", "\\|#"), _STRING), quotes=""),
    "clojure": LanguageRules(comments=(";.*",), strings=(r"\\.", _QUOTED), spans=(_STRING,), quotes=""),
    "ocaml": LanguageRules(comments=(), strings=(_CHARACTER,), spans=((r"\(\*", r"\*\)"),), quotes='"'),
    "ada": LanguageRules(comments=(r"--.*",), strings=(_CHARACTER,), spans=(), quotes='"'),
    "ini": LanguageRules(comments=(r"[#;].*",), spans=(), quotes="", brackets=False),
}
"""The rules of each language that needs other ones than ``DEFAULT``."""
