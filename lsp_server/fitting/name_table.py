"""Which lines give something a name that the scope around them may hold once, for each language.

This module is data; ``names`` compares lines by it. A pattern is matched from a line's start. Its group ``name`` is the
name, with what distinguishes it from others of the same word: a method's parameters where a language knows overloads.
"""

from typing import Final

from lsp_server.fitting.families import C_FAMILY
from lsp_server.fitting.name_rules import NameRule, NameRules

_OPEN: Final = ("{",)
_LIST: Final = ("(",)
_BOTH: Final = ("{", "(")
_TEXT: Final = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
_CASE: Final = NameRule(
    rf"\s*case\s+(?P<name>(?:{_TEXT}|::|[^:\"'\n])+?)\s*(?::(?![:=])|->)", _OPEN, r"\b(?:switch|match)\b"
)
_DEFAULT: Final = NameRule(r"\s*(?P<name>default)\s*(?::(?![:=])|->)", _OPEN, r"\b(?:switch|select|match)\b")
_ELSE: Final = NameRule(r"\s*(?i:(?P<name>else))\s*(?:#.*|--.*)?$", None, r"(?i:\bif)")
"""An alternative without a condition, in languages in which the block goes on behind it."""

_MEMBER: Final = NameRule(r"\s*(?P<name>\w+)\s*(?=[=,({]|$)", _OPEN, r"\benum\b")
_NO_TYPE: Final = (
    r"(?!\s*(?:return|delete|goto|throw|using|else|typedef|case|new|import|package|friend|extern|assert|yield|await"
    r"|export|namespace|static_assert|throws|extends|implements|permits|where|requires|(?:struct|class|enum|union)\s+\w+\s*;)\b)"
)
_TYPE: Final = r"\s*(?:\w[\w:.]*(?:<[^;=()]*>)?(?:\[\])*[*&]*\s+)+[*&]*"
_VARIABLE: Final = NameRule(
    rf"{_NO_TYPE}(?![^=;{{]*\b(?:class|interface|record)\s){_TYPE}(?P<name>(?!operator\b)\w+)\s*"
    r"(?:\[[^\]]*\]\s*)*(?::\s*\d+\s*)?(?=[=;{])",
    _OPEN,
)
_FUNCTION: Final = NameRule(
    rf"{_NO_TYPE}(?!\s*(?:if|for|while|switch|catch|do|try)\b){_TYPE}"
    r"(?P<name>[\w:~]+(?:<[^;=()]*>)?\s*\([^;]*\)[^;{]*?)\s*\{?\s*$"
)
_IMPORT_LINE: Final = NameRule(r"(?P<name>(?:import|using)\s+[^;({=]+;?)\s*$")
_PACKAGE: Final = NameRule(r"(?P<name>package)\s+[\w.]+;?\s*$")

_TITLE: Final = NameRule(
    r"\s*(?P<name>(?:it|test|describe|context|specify|feature|scenario|suite)(?:\.(?:only|skip))?(?:\s*\(\s*|\s+)"
    rf"(?:{_TEXT}))\s*(?:,|\)|do\b|\{{|in\b)"
)
"""A test, or a group of tests, by its title."""

_C: Final = NameRules(
    (
        NameRule(
            rf"\s*(?P<name>(?:TEST|TEST_F|TEST_P|TYPED_TEST|TEST_CASE|TEST_CASE_METHOD|BENCHMARK|SCENARIO|SECTION)\s*"
            rf"\(\s*(?:{_TEXT}|\w+\s*(?:,\s*(?:\w+|{_TEXT}))?)\s*(?:\)|,))"
        ),
        NameRule(r"\s*(?P<name>(?:struct|union|enum|class)\s+\w+)\s*(?::[^:]|\{|$)"),
        _CASE,
        _DEFAULT,
        _MEMBER,
        _VARIABLE,
        _FUNCTION,
        NameRule(r"\s*#\s*(?P<name>include\s+\S+)"),
        NameRule(r"\s*#\s*(?P<name>define\s+\w+)"),
        NameRule(r"\s*\.(?P<name>\w+)\s*=", _OPEN),
        NameRule(r"\s*(?!(?:default|public|private|protected|signals|slots)\b)(?P<name>[a-z]\w*)\s*:\s*$", _OPEN),
    ),
    ends=r"\s*#\s*(?:if|el|endif|undef)",
)
_JAVA: Final = NameRules(
    (
        NameRule(
            r"\s*(?:(?:public|protected|private|internal|static|final|abstract|sealed|partial|data|open)\s+)*"
            r"(?P<name>(?:class|interface|enum|record|object|trait)\s+\w+(?:<[^{;=]*?>)?)"
        ),
        _CASE,
        _DEFAULT,
        NameRule(r"\s*(?P<name>[A-Z][A-Z\d_]*)\s*(?=[,({;]|$)", _OPEN, r"\benum\b"),
        _VARIABLE,
        _FUNCTION,
        _IMPORT_LINE,
        _PACKAGE,
    ),
    ends=r"\s*#\s*(?:if|el|endif)",
)
_SCRIPT: Final = NameRules(
    (
        _TITLE,
        NameRule(
            r"\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?P<kind>const|let|class|enum|abstract\s+class)\s+"
            r"(?P<name>[\w$]+)"
        ),
        NameRule(r"\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?(?P<kind>function)\*?\s+(?P<name>[\w$]+)[^;]*\{\s*$"),
        NameRule(r"\s*(?:export\s+)?(?P<name>type\s+[\w$]+)\s*[=<]"),
        _CASE,
        _DEFAULT,
        NameRule(
            rf"\s*(?:readonly\s+)?(?!default\s*:)(?P<name>[\w$]+|{_TEXT})\??\s*:(?!:)", _BOTH, r"^(?!.*\bswitch\b)"
        ),
        _MEMBER,
        NameRule(r"(?P<name>import\s.*[^\s{,(])\s*$"),
        NameRule(
            r"\s*(?:(?:public|private|protected|async|override)\s+)*(?P<name>(?:[gs]et\s+)?[\w$]+)\s*(?:<[^>]*>)?"
            r"\([^;]*\{\s*$",
            _OPEN,
            r"\bclass\b",
        ),
    )
)
_PYTHON: Final = NameRules(
    (
        NameRule(r"\s*(?:async\s+)?(?P<kind>def|class)\s+(?P<name>\w+)"),
        NameRule(r"\s*(?P<name>import\s+[\w.]+(?:\s+as\s+\w+)?|from\s+[\w.]+\s+import\s+[\w, ]+)\s*(?:#.*)?$"),
        NameRule(rf"\s*(?P<name>[rb]?(?:{_TEXT}))\s*:", _OPEN),
        NameRule(r"\s*(?P<name>\w+)\s*=(?!=)", _LIST),
        NameRule(r"\s*case\s+(?P<name>[^:]+):\s*$", None, ""),
    ),
    indented=True,
)
_SYSTEMVERILOG: Final = NameRules(
    (
        NameRule(
            r"\s*(?:virtual\s+)?(?P<name>(?:module|interface|package|class|program|checker|covergroup)\s+"
            r"(?:automatic\s+|static\s+)?\w+)"
        ),
        NameRule(
            r"\s*(?:(?:virtual|protected|local|static)\s+)*(?:function|task)\s+(?:automatic\s+|static\s+)?"
            r"(?:[\w:\[\]-]+\s+)*?(?P<name>\w+)\s*[;(]"
        ),
        NameRule(r"\s*(?:(?:local)?param(?:eter)?)\b(?:[^=,;]*?\s)(?P<name>\w+)\s*(?:\[[^\]]*\]\s*)*="),
        NameRule(
            r"\s*(?:input|output|inout|ref)\s+(?:[\w:]+\s+)*(?:\[[^\]]*\]\s*)*(?P<name>\w+)\s*(?:\[[^\]]*\]\s*)*(?=[=,)]|$|//)",
            _LIST,
        ),
        NameRule(
            r"\s*(?:logic|wire|reg|bit|int|integer|byte|genvar|string|real|[\w:]+_t)\b\s*"
            r"(?:(?:signed|unsigned)\b\s*)?(?:\[[^\]]*\]\s*)*(?P<name>\w+)\s*(?:\[[^\]]*\]\s*)*(?=[;=,])"
        ),
        NameRule(r"\s*\.(?P<name>\w+)\s*(?=[(,)]|$)", _LIST),
        NameRule(r"\s*(?P<name>[\w':]+)\s*:(?!:)", ("{",), r"'\{"),
        NameRule(r"\s*(?P<name>[\w']+(?:::\w+)*)\s*:(?!:)", ("case", "casex", "casez"), r"^(?!.*\binside\b)"),
        NameRule(r"\s*(?!(?:end|else|begin|return)\b)\w+\s+(?:#\s*\(.*\)\s*)?(?P<name>[ui]_\w+)\s*\("),
        NameRule(r"\s*\}\s*(?P<name>\w+)\s*;"),
        _MEMBER,
        NameRule(r"\s*(?P<name>import\s+[^;]+;)"),
        NameRule(r"\s*`(?P<name>define\s+\w+)"),
    ),
    ends=r"\s*`(?:if|els|endif|undef)",
)
_MODIFIERS: Final = r"(?:(?:private|protected|final|implicit|override|sealed|abstract|lazy|inline)(?:\[\w+\])?\s+)*"
_CALL: Final = r"^(?!.*\b(?:if|while|for|when|assert|require)\b)"
_RUBY: Final = NameRules(
    (
        _TITLE,
        NameRule(r"\s*(?P<name>(?:has_many|has_one|belongs_to|has_and_belongs_to_many|scope|enum)\s+:\w+)\b"),
        NameRule(r"\s*(?P<kind>def)\s+(?P<name>(?:\w+\.)*\w+[?!=]?)"),
        NameRule(r"\s*when\s+(?P<name>[^,]+?)\s*(?:then\b.*)?$", None, r"\bcase\b"),
        _ELSE,
        NameRule(r"\s*(?P<name>\w+[?!]?):\s", _BOTH),
        NameRule(rf"\s*(?P<name>(?:{_TEXT})|:\w+)\s*=>", _BOTH),
        NameRule(r"(?P<name>require(?:_relative)?\s+\S+)\s*$"),
    ),
    ends=r"\s*(?:else|elsif|rescue|ensure)\b",
)
_VHDL: Final = NameRules(
    (
        NameRule(r"(?i:\s*(?P<kind>entity|component|signal|constant|type|subtype|variable)\s+(?P<name>\w+))"),
        # Aliases of subprograms differ by the types that follow the name.
        NameRule(r"(?i:\s*alias\s+(?P<name>\w[^;]*))"),
        NameRule(r"(?i:\s*architecture\s+(?P<name>\w+\s+of\s+\w+))"),
        NameRule(r"(?i:\s*(?P<name>\w+)\s*:\s*(?:in|out|inout|buffer)\b)", _LIST),
        NameRule(r"\s*(?P<name>\w+)\s*=>", _LIST),
        NameRule(r"(?i:\s*when\s+(?P<name>[^=]+?)\s*=>)", None, r"(?i:\bcase\b)"),
        NameRule(r"(?i:\s*(?P<name>\w+)\s*:\s*(?:process|block|entity|component|for|if|case)\b)"),
    )
)

RULES: Final[dict[str, NameRules]] = {
    "python": _PYTHON,
    "starlark": _PYTHON,
    "go": NameRules(
        (
            _PACKAGE,
            NameRule(r"(?P<kind>func|type)\s+(?P<name>(?:\([^)]*\)\s*)?\w+)(?=[\s\[(])"),
            NameRule(r"\s*(?:var|const)\s+(?P<name>\w+)\b"),
            NameRule(r"\s*(?P<name>\w+)\s*:=", _OPEN),
            NameRule(r"\s*(?P<name>\w+)\s+[\w*\[\].]", _OPEN, r"\bstruct\s*\{"),
            NameRule(r"\s*(?P<name>\w+)\(", _OPEN, r"\binterface\s*\{"),
            NameRule(r"\s*(?P<name>(?:[\w.]+\s+)?\"[^\"]+\")\s*$", _LIST, r"^import\b"),
            NameRule(r"\s*(?P<name>\w+)(?:\s+\w+)?\s*(?:=|$)", _LIST, r"^(?:const|var)\b"),
            NameRule(rf"\s*(?!default:)(?P<name>\w+|{_TEXT}):(?!=)", _OPEN),
            NameRule(r"\s*\w+\.Run\((?P<name>\"[^\"]+\"),"),
            _CASE,
            _DEFAULT,
        )
    ),
    **dict.fromkeys(C_FAMILY, _C),
    "java": _JAVA,
    "csharp": _JAVA,
    "dart": _JAVA,
    "groovy": _JAVA,
    "kotlin": NameRules(
        (
            NameRule(
                r"\s*(?:(?:private|internal|public|protected|data|open|sealed|abstract|enum)\s+)*(?P<name>(?:class|object|interface)\s+\w+)"
            ),
            NameRule(
                r"\s*(?:(?:private|internal|public|protected|override|lateinit|const)\s+)*va[lr]\s+(?P<name>\w+)\b(?!\.)"
            ),
            NameRule(r"(?P<name>import\s+[\w.]+)\s*$"),
            NameRule(
                r"\s*(?:(?:private|internal|public|protected|override|open|abstract|inline|suspend|operator|final)\s+)*"
                r"fun\s+(?P<name>(?:<[^>]*>\s*)?(?:[\w<>?*, ]+\.)?(?:\w+|`[^`]+`)\s*\([^()]*\))"
            ),
            NameRule(rf"\s*(?P<name>(?:{_TEXT}|[^-{{}}=\"'])+?)\s*->", _OPEN, r"\bwhen\b"),
            NameRule(r"\s*(?P<name>\w+)\s*=(?!=)", _LIST, _CALL),
            _TITLE,
        )
    ),
    "scala": NameRules(
        (
            NameRule(rf"\s*{_MODIFIERS}(?P<name>(?:(?:case\s+)?(?:class|object)|trait|enum)\s+\w+)"),
            NameRule(rf"\s*{_MODIFIERS}(?P<name>def\s+\w+(?:\[[^\]]*\])?(?:\([^()]*\))*)\s*(?::|=|\{{)"),
            NameRule(rf"\s*{_MODIFIERS}va[lr]\s+(?P<name>\w+)\s*[:=]"),
            NameRule(r"(?P<name>import\s+\S.*)$"),
            NameRule(r"\s*(?P<name>case\s+[^=]+?)\s*=>", _OPEN, r"\bmatch\b"),
            NameRule(r"\s*(?P<name>\w+)\s*=(?![=>])", _LIST, _CALL),
            _TITLE,
        ),
        indented=True,
    ),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "tsx": _SCRIPT,
    "rust": NameRules(
        (
            NameRule(
                r"\s*(?:pub(?:\([^)]*\))?\s+)?(?:(?:async|unsafe|const|extern\s+\"C\")\s+)*"
                r"(?P<kind>fn|struct|enum|trait|mod|union|type|static|const)\s+(?!mut\b|fn\b|ref\b|_\b)(?P<name>\w+)"
            ),
            NameRule(r"\s*(?:pub(?:\([^)]*\))?\s+)?(?P<name>\w+):(?!:)", _BOTH, r"^(?!.*\b(?:impl|trait|mod)\b)"),
            NameRule(rf"\s*(?P<name>b?(?:{_TEXT})|[\w:]+(?:\s*[({{][\w, ._]*[)}}])?)\s*=>", _OPEN, r"\bmatch\b"),
            _MEMBER,
            NameRule(r"\s*(?P<name>(?:pub\s+)?use\s+[^;]+;)"),
        ),
        ends=r"\s*#!?\[cfg",
    ),
    "verilog": _SYSTEMVERILOG,
    "systemverilog": _SYSTEMVERILOG,
    "vhdl": _VHDL,
    "json": NameRules((NameRule(r"\s*(?P<name>\"(?:[^\"\\]|\\.)*\")\s*:", _OPEN),)),
    "yaml": NameRules(
        (NameRule(rf"\s*(?P<name>[\w./-]+|{_TEXT})\s*:(?:\s|$)", ("",)),),
        ends=r"\s*(?:\{\{|\{%|---|\.\.\.)",
        indented=True,
    ),
    "toml": NameRules((NameRule(rf"\s*(?P<name>[\w.-]+|{_TEXT})\s*=", ("",)),), ends=r"\s*\["),
    "ini": NameRules((NameRule(r"\s*(?P<name>[\w.-]+)\s*[=:]"),), ends=r"\s*\["),
    "ruby": _RUBY,
    "bash": NameRules(
        (
            NameRule(r"\s*(?:function\s+)?(?P<name>[\w-]+)\s*\(\)"),
            NameRule(r"\s*(?P<name>[^()\s#]+)\)", None, r"^case\b"),
            NameRule(rf"(?P<name>@test\s+(?:{_TEXT}))"),
            _ELSE,
        )
    ),
    "make": NameRules(
        (
            # A target may be named again to give it more prerequisites, but hardly twice with some of the same.
            NameRule(r"(?P<name>[\w./%$()@-][^:=#]*?:(?![:=])\s*[^\s=#]+)(?=\s|$)"),
            _ELSE,
        ),
        ends=r"\s*(?:ifn?eq|ifn?def|endif|-?include|define)\b",
    ),
    "lua": NameRules(
        (
            NameRule(r"\s*(?:local\s+)?(?P<kind>function)\s+(?P<name>[\w.:]+)\s*\("),
            NameRule(r"\s*(?P<name>\w+|\[(?:" + _TEXT + r")\])\s*=(?!=)", _OPEN),
            NameRule(r"\s*(?P<name>local\s+[\w, ]+?\s*=\s*require\b.*)"),
            _TITLE,
            _ELSE,
        )
    ),
    "cmake": NameRules(
        (
            NameRule(
                r"\s*(?P<name>(?:add_(?:library|executable|custom_target|test|subdirectory)|option|function|macro"
                r"|project)\s*\(\s*(?:NAME\s+)?[\w:.${}/-]+)(?=[\s)])"
            ),
        ),
        ends=r"\s*(?:if|else|elseif|endif)\b",
    ),
    "sql": NameRules(
        (
            NameRule(
                r"(?i:\s*create\s+(?:unique\s+)?(?:table|index|view|type|sequence)\s+(?:if\s+not\s+exists\s+)?(?P<name>[\w.\"`]+))"
            ),
            NameRule(
                r"(?i:\s*(?!constraint\b|primary\b|foreign\b|unique\b|check\b|key\b|index\b)"
                r"(?P<name>[\w\"`]+)\s+\w)",
                _LIST,
                r"(?i:\bcreate\s+table\b)",
            ),
        ),
        ends=r"(?i:\s*drop\b)",
    ),
    "elixir": NameRules((_TITLE,)),
    "php": NameRules(
        (
            NameRule(r"\s*(?:(?:abstract|final)\s+)?(?P<name>(?:class|interface|trait|enum)\s+\w+)"),
            NameRule(r"\s*(?:(?:public|protected|private|static|abstract|final)\s+)*function\s+(?P<name>\w+)"),
            NameRule(r"(?P<name>use\s+[^;{]+;)"),
            NameRule(
                r"\s*(?:(?:public|protected|private|static|readonly|var)\s+)+(?:[?\w|\\]+\s+)?(?P<name>\$\w+)\b", _BOTH
            ),
            NameRule(r"\s*(?:(?:public|protected|private|final)\s+)*(?P<name>const\s+(?:\w+\s+)?\w+)\s*=", _OPEN),
            NameRule(r"\s*(?P<name>case\s+\w+)\s*[;=]", _OPEN, r"\benum\b"),
            NameRule(r"\s*(?P<name>(?:it|test|describe)\(" + _TEXT + r")\s*,"),
            NameRule(rf"\s*(?P<name>{_TEXT})\s*=>", ("[", "(")),
            _CASE,
            _DEFAULT,
        )
    ),
    "swift": NameRules(
        (
            NameRule(r"\s*(?P<name>(?:class|struct|enum|protocol)\s+\w+)"),
            NameRule(r"\s*(?P<name>let\s+\w+)\b"),
            NameRule(
                r"\s*(?:(?:public|private|fileprivate|internal|open|static|class|final|override|mutating)\s+)*"
                r"(?P<name>func\s+\w+\([^()]*\)[^{]*?)\s*(?:\{|$)"
            ),
            NameRule(r"\s*(?P<name>case\s+(?:[^:{}=]|\([^)]*\))+?)\s*:", _OPEN, r"\bswitch\b"),
            NameRule(r"\s*case\s+(?P<name>\w+)\s*(?=[=(]|$)", _OPEN, r"\benum\b"),
            NameRule(r"(?P<name>(?:@testable\s+)?import\s+\w+)\s*$"),
        ),
        ends=r"\s*#(?:if|else|endif)",
    ),
    "hcl": NameRules(
        (
            NameRule(r"(?P<name>(?:resource|variable|output|data|module)\s+[^{]+)\{"),
            NameRule(r"\s*(?P<name>[\w-]+)\s*=(?!=)", _OPEN),
        )
    ),
}
"""The rules of each language; in others no name is compared."""
