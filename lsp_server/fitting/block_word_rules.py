"""The rules of languages whose blocks begin and end with words: SystemVerilog, VHDL, Ruby and shell.

``language_table`` names them, and has the rules of all other languages.
"""

from typing import Final

from lsp_server.fitting.language_rules import BLOCK_COMMENT, GOES_ON, HASH, IF, LanguageRules, names

SYSTEMVERILOG: Final = LanguageRules(
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
    spans=(BLOCK_COMMENT, (r"`define\b.*\\$", r"(?:^|[^\\])$"), GOES_ON),
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
    middles={"else": names("if assert assume cover property expect foreach")},
)
_PARAMETERS: Final = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
VHDL: Final = LanguageRules(
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
    middles={"else": names("if elsif case when generate"), "elsif": names("if elsif")},
    inside=True,
)
RUBY: Final = LanguageRules(
    comments=(HASH,),
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
        "else": names("if unless elsif case when in begin rescue def do"),
        "elsif": IF,
        "when": names("case"),
        "rescue": names("begin def do class module"),
        "ensure": names("begin def do class module"),
    },
    inside=True,
)
_SUBSTITUTION: Final = r"[^\"$\\]*\$\((?=[^()\"]*$)"
"""In shell, the start of a string up to a command that goes on over lines."""

SHELL: Final = LanguageRules(
    comments=(HASH,),
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
    middles={"else": names("if elif"), "elif": IF, "then": names("if elif")},
    inside=True,
)
