"""Finds secrets that are given to a name in a roundabout way, where the way itself says that a value follows.

``assignments`` reads the direct ways; ``nearby`` asks much of a value that merely stands on the line of a name. Here
are ways between these two, in which a password as people choose it (``river7414``) counts as well: a fallback
(``env.PASSWORD || "..."``), the default of a placeholder, a whole pair in quotes (``"PASSWORD=..."``), a string behind
blanks (Gradle, Clojure), a declaration with a type between name and value, braces of Tcl, raw strings of C++, and what
a test in a browser fills in. In notes for people (``ID/PW: admin / ...``) a value has to look like more.
"""

import re
from typing import Final

from indexer.secrets import rules
from indexer.secrets.cover import Span

_LITERAL = r"(?P<quote>\\{0,3}(?:\"{3}|'{3}|[\"'`]))(?P<value>(?:(?!(?P=quote))[^\s\\]|\\[^\n]){6,512})(?P=quote)"
_END = r"(?=[ \t]*(?:[,;:)}\]#]|//|\r?\n|\Z|:\w))"

_ANYWHERE = re.compile("")
_USER = r"(?i:\bid|\buser(?:name)?|\baccount|\blogin|아이디|계정|사용자)[ \t]?"
_Way = tuple[re.Pattern[str], re.Pattern[str]]
"""What stands before the name, and what follows it with the value."""

_WAYS: Final[tuple[_Way, ...]] = (
    # env.PASSWORD || "value", getenv("PASSWORD") or "value", password = given ?? "value"
    (
        _ANYWHERE,
        re.compile(
            r"[\"'`]?[)\]]{0,2}"
            r"(?:[ \t]{0,4}(?::[ \t]?\w{1,30})?[ \t]{0,4}:?=(?![=~])[ \t]{0,4}[\w$.()\[\]\"'?! -]{1,80}?)?"
            rf"[ \t\n]{{0,20}}(?:\|\||\?\?|\?:|\bor\b|\belse\b)[ \t\n]{{0,20}}{_LITERAL}"
        ),
    ),
    # password = given.or_else("value"), password = field(default="value"), "Password", with: "value"
    (
        _ANYWHERE,
        re.compile(
            r"(?:[^\n;=,]{0,20}=(?![=~]))?[^\n;=]{0,80}?\b(?i:or_?else|unwrap_or(?:_else)?|get_?or_?else|value_or|fallback"
            r"|default(?:_?value)?|env_?default|frommaybe|with(?=[ \t]?[:=]))\b[ \t]{0,4}"
            rf"(?:[=:(]|=>)?[ \t]{{0,4}}(?:\|_?\||\(\)[ \t]?->|\{{)?[ \t]{{0,4}}{_LITERAL}"
        ),
    ),
    # let(:password) { "value" }, fetch("PASSWORD") { "value" }
    (re.compile(r"\([:\"']\Z"), re.compile(rf"[\"']?\)[ \t]{{0,4}}\{{[ \t]{{0,4}}{_LITERAL}[ \t]{{0,4}}\}}")),
    # get('#password').type('value'), fill('#password', 'value') of tests in a browser
    (
        re.compile(r"[\"'`/](?:[\w-]{0,20}(?:\[[\w ~*^|-]{1,20}=[\"']?|#))?\Z"),
        re.compile(
            r"[\"']?\]?[\"'`/]i?\)*(?:,[ \t]{0,4}|[ \t\n]{0,20}\.(?:type|fill|setValue|sendKeys|send_keys)\([ \t]{0,4})"
            rf"{_LITERAL}[ \t]{{0,4}}\)"
        ),
    ),
    # "PASSWORD": {"value": "value"}, --name db-password --value value
    (
        _ANYWHERE,
        re.compile(
            r"[\"'`]?[ \t]{0,4}[:=][ \t]{0,4}\{[ \t]{0,4}[\"']?(?i:value|default)[\"']?"
            rf"[ \t]?[:=][ \t]?{_LITERAL}"
        ),
    ),
    (
        re.compile(r"--name[ =][^\s]{0,40}\Z"),
        re.compile(r"[\"']?[ \t]+--value[ =][\"']?(?P<value>[^\s\"'`$<{]{6,128})"),
    ),
    # ${PASSWORD:-value} of shells, ${password:value} of Spring
    (re.compile(r"[$#]\{\Z"), re.compile(r":[-=]?(?P<value>[^\s{}$\"'`?+][^\s{}$\"'`]{5,127})\}")),
    # "PASSWORD=value", 'Private-Token: value', "export PASSWORD=value"
    (
        re.compile(r"(?P<opens>[\"'`])(?:(?:export|set|env)[ \t]+)?\Z"),
        re.compile(r"(?:=|:[ \t]?)(?P<value>[^\s\"'`\\,;&{}()<>]{6,512})(?=(?P<closes>[\"'`]))"),
    ),
    # password "value" of Gradle, :password "value" of Clojure
    (re.compile(r"(?:^|[\n({,:;])[ \t]*:?\Z"), re.compile(rf"[ \t]{{1,8}}{_LITERAL}{_END}")),
    # Const PASSWORD As String = "value", PASSWORD CONSTANT VARCHAR2(20) := 'value', PASSWORD PIC X(9) VALUE 'value'
    (
        _ANYWHERE,
        re.compile(
            r"[ \t]+(?:(?i:pic|as|constant|type)[ \t]+)?[A-Za-z]\w{0,20}(?:\(\d{1,4}\))?[ \t]+"
            rf"(?:(?i:value|default)(?:[ \t]+(?i:is))?|:?=(?!=))[ \t]*{_LITERAL}"
        ),
    ),
    # set password {value} of Tcl
    (re.compile(r"\bset[ \t]+(?:::)?\Z"), re.compile(r"[ \t]+\{(?P<value>[^\s{}$\[\]]{6,128})\}")),
    # password[] = R"(value)" of C++
    (
        _ANYWHERE,
        re.compile(r"(?:\[\w*\])?[ \t]*[={][ \t]*(?:u8|[LuU])?R\"\w{0,16}\((?P<value>[^\s()\"]{6,512})\)"),
    ),
)

# What people write for people, so a value has to look like more: password `value`, ID/PW: admin / value.
_NOTED: Final[tuple[_Way, ...]] = (
    (_ANYWHERE, re.compile(r"(?:[ \t]?(?:is|:|=|은|는))?[ \t]{1,4}`(?P<value>[^\s`]{6,64})`")),
    (
        re.compile(rf"{_USER}/[ \t]?\Z"),
        re.compile(r"[ \t]?[:=)-][ \t]?[\w.@-]{1,40}[ \t]?/[ \t]?(?P<value>[^\s\"'`,;()<>]{6,64})"),
    ),
    (
        re.compile(rf"{_USER}[:=]?[ \t]?[\w.@-]{{1,40}}[ \t]?[/,][ \t]?\Z"),
        re.compile(r"[ \t]?[:=]?[ \t]?(?P<value>[^\s\"'`,;()<>]{6,64})(?=\s|\Z)"),
    ),
)


def in_a_roundabout_way(text: str, start: int, end: int, kind: str) -> Span | None:
    """Return the secret that is given to the name at ``[start, end)``, which is of this kind, in one of these ways."""
    before = text[max(0, start - 40) : start]
    for leads, pattern in _WAYS:
        match = pattern.match(text, end)
        led = leads.search(before) if match is not None else None
        if match is None or led is None:
            continue
        if "closes" in pattern.groupindex and match["closes"] != led["opens"]:
            continue
        if not match["value"].startswith("-") and rules.is_secret_value(match["value"], kind):
            return match.span("value")
    for leads, pattern in _NOTED:
        match = pattern.match(text, end)
        if match is not None and leads.search(before) and rules.is_noted_secret(match["value"], kind):
            return match.span("value")
    return None
