"""Finds values whose name says that they are secret, in every way in which a name and a value are written down.

A name is found by its stem (``pass``, ``key``), judged as a whole, and then the text behind it is read as each of the
ways to give it a value: assignments and calls of programming languages, settings files, XML, pairs of ``name`` and
``value``, blocks with a ``default``, numbers and lists of bytes.
"""

import re
from collections.abc import Iterator
from typing import Final

from indexer.languages.grammars import UNKNOWN, language_of
from indexer.secrets import rules
from indexer.secrets.cover import Span
from indexer.secrets.insert_rows import insert_rows
from indexer.secrets.nearby import nearby, taken
from indexer.secrets.prose import commented, in_prose, is_document
from indexer.secrets.roundabout import in_a_roundabout_way

Forms = tuple[tuple["re.Pattern[str]", str], ...]
"""Patterns for a value in files of settings, each with the name of the value's group."""

_SETTINGS_NAMES = re.compile(
    r"(?:^|/)(?:dockerfile[^/]*|containerfile|\.env[^/]*|\.netrc|_netrc|\.npmrc|\.yarnrc[^/]*|\.pypirc|\.my\.cnf"
    r"|\.pgpass"
    r"|\.s3cfg|\.boto|credentials|kubeconfig|vault[^/.]*|[^/]*\.(?:ya?ml|ini|cfg|cnf|conf|config|properties|toml"
    r"|env|envrc"
    r"|sh|bash|zsh|fish|ksh|csh|tcsh|tf|tfvars|hcl|nomad|dockerfile|service|plist|reg|rc|inventory|http|rest|hurl|ldif|sls)(?:\.(?:j2|tmpl|tpl"
    r"|erb|example"
    r"|sample|dist|template|bak|orig))?)$"
)
_MAKE_NAMES = re.compile(r"(?:^|/)(?:(?:gnu)?makefile[^/]*|[^/]*\.(?:mk|mak))$")
_YAML = re.compile(r"\.(?:ya?ml|sls)(?:\.\w+)?$|(?:^|/)vault[^/.]*$")

_HEAD = re.compile(r"[\w$.-]{0,60}\Z")
_REST = re.compile(r"[\w$.-]{0,40}")

# Calls that make a value of a literal: bytes.fromhex("..."), String::from("..."), new SecretKeySpec("...
_MAKER = (
    r"(?:(?:new[ \t]+)?(?:[\w.:]{0,40}?(?i:fromhex|unhexlify|hex|b64decode|decodestring|decode|base64|from|secret\w*"
    r"|str|string|some|ok|bytes?|bytearray|tochararray|parse|of|literal|plain|sensitive|cstr|qstringliteral)!?"
    r"|\[\]byte)"
    r"[ \t]{0,4}[(\[][ \t]{0,4}){0,3}"
)
_LITERAL = r"(?P<quote>\\{0,3}(?:\"{3}|'{3}|[\"'`]))(?P<quoted>(?:(?!(?P=quote))[^\s\\]|\\[^\n]){6,512})(?P=quote)"
_ASSIGNED = re.compile(
    r"(?P<mark>(?:\\{0,3}[\"'`])?\]?)[?!]?[ \t]{0,20}(?:\[[\w ()*+:.-]{0,40}\][ \t]{0,4}){0,3}"
    r"(?P<go>[ \t](?:string|\[\]byte|String|Text|text|varchar)[ \t]{0,4}(?==))?"
    r"(?:(?P<sign>:[ \t]{0,4}(?:&(?:'\w+ )?(?:mut )?|\[\w{0,4}\](?:const )?)?"
    r"[A-Za-z][\w\[\]<>.*&?:']{0,40}(?: ?\| ?\w+)?[ \t]{0,4}="
    r"|[!=]={1,2}|[=-]>|::=?(?=[ \t]*[\"'])|:=|\?\?=|\|\|=|\?=|\+=|<-|[:=]|\{(?=[ \t]*\"))|(?P<comma>,)"
    rf"|(?P<call>\())\s{{0,20}}{_MAKER}(?P<prefix>[A-Za-z@$#]{{0,2}}|<<)(?:{_LITERAL}"
    r"|(?P<bare>[^\s\"'`,;&(){}\[\]<>=]{6,512}+={0,2})(?![(\[{>=]))"
)
# What copies its second argument into the first: strcpy((char *)config.password, "value").
_COPIES = re.compile(
    r"(?:cpy|cat)(?:_s|A|W)?[ \t]{0,4}\(\s{0,20}(?:\([\w *]{1,30}\)[ \t]{0,4})?&?(?:[\w\[\]]{1,40}(?:\.|->)){0,3}\Z"
)
# Words behind which a name is followed by its value without a sign: #define NAME "value", (setq name "value").
_DEFINES = re.compile(
    r"(?:[#`][ \t]*define|\bset[qx]?|\bsetenv|\bexport|\(def(?:ine|var|const(?:ant)?|parameter)?|\.equ|\.set"
    r"|%define|\bconst"
    r"|\bset_property|\bARG|\bENV)[ \t]*(?:-\w+[ \t]+)?[(:\"'$]*\Z"
)
_DEFINED = re.compile(rf"[\"'`]?(?:\([^()\n]{{0,40}}\))?(?:[ \t,]|\\\r?\n){{1,40}}[LuUR@(]{{0,2}}{_LITERAL}")
# In a file of settings the value goes on to the next space.
# What stands between the sign and the value: blanks, a line that goes on, an anchor or a tag of YAML.
_GAP = r"(?:[ \t]|\\\r?\n){0,30}(?:[&!]{1,2}[\w/]{1,60}[ \t]{1,20}){0,2}"
_SETTING = re.compile(
    rf"[\"']?[ \t]{{0,20}}(?:(?P<sign>::(?=[ \t])|[:=]|=>)|[ \t]){_GAP}"
    r"(?P<bare>[^\s\"'`]{5,511}[^\s\"'`,;])[,;]?(?!\S)"
)
_BEGINS_LINE = re.compile(
    r"(?:^|\n)[ \t]*(?:(?:export|setenv|setx|set(?:[ \t]+--?[a-z]{1,9}){0,2}|env|arg|-|--)[ \t]+)*[\"']?\Z",
    re.IGNORECASE,
)
_SETTING_TEXT = re.compile(rf"[\"']?[ \t]{{0,20}}(?:(?P<sign>[:=]|=>)|[ \t]){_GAP}{_LITERAL}")
_SETTINGS: Final[Forms] = ((_SETTING_TEXT, "quoted"), (_SETTING, "bare"))
# A file of no known language may be settings or code.
_UNKNOWN: Final[Forms] = (
    (_SETTING_TEXT, "quoted"),
    (re.compile(_SETTING.pattern.replace("<bare>", "<either>")), "either"),
)
# In a Makefile a colon alone begins a rule.
_MAKE: Final[Forms] = (
    (re.compile(r"(?P<sign>[ \t]{0,20}(?:[?+]|:{0,3})=)[ \t]{0,30}(?P<bare>[^\s\"'`]{6,512})(?!\S)"), "bare"),
)
_BELOW = re.compile(r"[\"']?[ \t]*:[ \t]*(?:[|>][+-]?\d?)?[ \t]*(?:#[^\n]*)?\r?\n")
_BELOW_LINE = re.compile(
    r"(?P<blanks>[ \t]+)(?P<item>-[ \t]+)?(?P<key>[\w.-]{1,60}:[ \t]+)?"
    r"[\"']?(?P<value>[^\s\"'#][^\s\"']{5,511})[\"']?[ \t]*(?=\r?\n|\Z)"
)
_HEREDOC = re.compile(
    r"[\"'`]?\]?[ \t]*(?:\{[ \t]*\n(?:[^\n}]*\n){0,6}?[ \t]*(?:default|value|secret_string)[ \t]*)?"
    r"(?:=>|:=|[:=])?[ \t]*(?:\$\(cat[ \t]+)?<<[-~<]?[ \t]*[\"'`]?(?P<end>\w+)[^\n]{0,40}\n"
)
_HEREDOC_LINE = re.compile(r"[ \t]*(?P<value>\S{6,512})[ \t]*(?=\r?\n|\Z)")
_XML = re.compile(r"[ \t]*[^<>\n]{0,80}>\s{0,20}(?:<!\[CDATA\[)?(?P<bare>[^\s<>]{6,512})\s{0,20}(?:\]\]>)?\s{0,20}</")
_XML_VALUE = re.compile(r"[\"']\s*/?>\s*<(?:\w+:)?(?:value|string)>\s*(?P<bare>[^\s<>]{6,512})\s*</")
_XML_TEXT = re.compile(r"[\"'][^<>\n]{0,80}>\s*(?P<bare>[^\s<>]{6,512})\s*</")
_PLIST = re.compile(r"[ \t]*</key>\s*<string>\s*(?P<bare>[^\s<>]{6,512})\s*</")
_PAIR = re.compile(
    r"[\"'`]?\s{0,40}[,;]?\s{0,40}(?:\w+=[\"']?\w{0,20}[\"']?[ \t]+)?[\"'`]?(?:\b(?i:value|stringvalue|val"
    r"|default)\b|值)[\"'`]?"
    rf"\s{{0,20}}(?:[:=]|=>)\s{{0,20}}(?:{_LITERAL}|(?P<bare>[^\s\"'`,;&(){{}}\[\]<>=]{{6,512}}+={{0,2}})(?![^\s,}}\]]))"
)
_BLOCK = re.compile(
    r"[\"']?[ \t]*(?:\{|:)[ \t]*\n(?:[^\n}]*\n){0,6}?[ \t]*[\"']?(?i:default|value|initial_value"
    r"|secret_string|example|const)[\"']?[ \t]*[:=]"
    rf"[ \t]*(?:{_LITERAL}|(?P<bare>[^\s\"'`{{}}\[\]]{{6,512}})(?=[ \t]*\n))"
)
# passwd = [[value]] of Lua.
_LONG_BRACKET = re.compile(r"[ \t]*=[ \t]*\[(?P<level>=*)\[(?P<bare>[^\s\[\]]{6,512})\](?P=level)\]")
# ${NAME}    value of Robot Framework, where the line begins with the name.
_ROBOT = re.compile(r"\}(?:[ \t]?=)?(?: {2,40}|\t{1,10})(?P<bare>[^\s\"'`]{6,512})[ \t]*(?=\r?\n|\Z)")
# config NAME of Kconfig, with its default on a line below.
_KCONFIG = re.compile(
    r"[ \t]*\r?\n(?:[ \t]++(?!default)[^\n]*+\n){0,6}?[ \t]++default[ \t]+\"(?P<bare>[^\s\"]{6,512})\""
)
_WRITTEN_OTHERWISE = (
    (re.compile(r""), _LONG_BRACKET),
    (re.compile(r"(?:^|\n)\$\{\Z"), _ROBOT),
    (re.compile(r"(?:^|\n)[ \t]*(?:menu)?config[ \t]+\Z"), _KCONFIG),
)
# char pwd[] = {'a', 'b'} of C and Java.
_CHARACTERS = re.compile(
    r"[ \t]*(?:\[\w*\])?[ \t]*=\s*(?:new[ \t]+char[ \t]*\[\w*\][ \t]*)?\{\s*"
    r"(?P<bare>'[^'\\\n]'(?:\s{0,20},\s{0,20}'[^'\\\n]'){5,127})"
)
_NUMBER = re.compile(
    r"[\"'`]?\]?[ \t]{0,20}(?:\[[\w ()*+:.-]{0,40}\][ \t]{0,4}){0,3}(?::[ \t]*[\w() \t-]{1,60}:=|[:=]{1,2}|<="
    r"|[ \t])[ \t]{0,20}\(?"
    r"(?P<number>0[xX][0-9a-fA-F_]{16,}|\d{0,4}'[sS]?[hH][ \t]?[0-9a-fA-F_]{16,}|[xX]\"[0-9a-fA-F_]{16,}\")"
)
_LIST_OPENS = re.compile(
    r"[\"'`]?\]?[ \t]{0,20}(?:\[[\w ()*+:.-]{0,40}\][ \t]{0,4}){0,3}"
    r"(?:(?::[^\n=]{0,60})?:?=|:?[ \t]+(?:\.?(?:byte|word|long|quad|hword|dword)|d[bwdq]|dc\.?[bwl])(?=[ \t])"
    r"|[ \t]|\()\s{0,20}(?:new[ \t]+)?(?:[\w.:<>\[\]]{0,40}!?[ \t]{0,4}\(?[ \t]{0,4})?"
    r"(?:&?'?[{\[(]\s{0,40}|(?<=[bBwWdDgGqQeElL][ \t]))"
    r"(?=0[xX]|\d{1,4}\b|'\\x|\(byte\)|[xX]\")"
)
_ELEMENT = re.compile(
    r"(?:\(byte\)[ \t]*)?(?:0[xX](?P<hex>[0-9a-fA-F]{1,16})|\d{1,4}'[sS]?[hH](?P<sv>[0-9a-fA-F_]{1,32})"
    r"|[xX]\"(?P<vhdl>[0-9a-fA-F_]{1,32})\""
    r"|(?P<number>\d{1,3}))"
    r"[uUlL]{0,3}(?:u8|as u8)?\s{0,40}(?:,\s{0,80}|(?=[}\])]))(?://[^\n]*\n\s*|/\*[^\n]{0,80}?\*/\s*)?"
)
_LIST_LIMIT: Final = 4096
_STRINGS = re.compile(
    r"[\"'`]?\]?[ \t]{0,20}(?::[^\n=]{0,60})?(?:[:=]{1,2}|=>)[ \t]{0,20}[\w.]{0,20}[(\[{]\s{0,40}(?=[\"'])"
)
_STRING = re.compile(rf"{_LITERAL}\s{{0,20}},?\s{{0,40}}")


# What follows the name of a person: nulltoken <nulltoken@example.com>, as git and lists of authors write it.
_ADDRESS = re.compile(r"[ \t]*<[\w.+-]+@[\w.-]+>")

# A function or macro that says whether the call in it passes, as in tests: cl_git_pass(git_oid_from_string(...)).
_CHECKS = re.compile(r"\(\s*!?\w+(?:(?:\.|->|::)\w+)*\(")


def named(text: str, path: str) -> list[Span]:
    """Return the spans of values whose name says that they are secret.

    :param path: in files of settings, and in those of no known language, a value counts also without quotes.
    """
    spans: list[Span] = []
    lowered = text.lower()
    if len(lowered) != len(text):  # a few letters grow when lowered, and offsets must agree
        lowered = "".join(c.lower() if c < "\x80" else c for c in text)
    name = path.lower()
    document = is_document(name)
    unknown = bool(path) and not document and language_of(path) == UNKNOWN
    settings = (
        _MAKE
        if _MAKE_NAMES.search(name)
        else _SETTINGS
        if _SETTINGS_NAMES.search(name)
        else _UNKNOWN
        if unknown
        else ()
    )
    yaml = bool(settings) and bool(_YAML.search(name))
    for stem in rules.NAME_STEMS:
        position = lowered.find(stem)
        while position >= 0:
            after = position + len(stem)
            rest = _REST.match(text, after)
            end = rest.end() if rest else after
            head = _HEAD.search(text, max(0, position - 60), position)
            start = head.start() if head else position
            kind = rules.kind_of_name(text[start:end])
            if kind is not None and not _ADDRESS.match(text, end):
                found = list(_values(text, start, end, kind, settings, yaml))
                if not found and kind != rules.BYTES:
                    noted = in_prose(text, start, end, kind, document) or commented(text, start, end, kind)
                    found = [noted] if noted else found
                if found:
                    spans += found
                    after = max(after, found[-1][1]) if found[0][0] >= after else after
            position = lowered.find(stem, max(after, position + 1))
    return [*spans, *taken(text, lowered), *insert_rows(text, lowered)]


def _values(text: str, start: int, end: int, kind: str, settings: Forms, yaml: bool) -> Iterator[Span]:
    """Yield the secrets that are given to the name at ``[start, end)``; the first way of writing that fits counts."""
    if text[start:end].lower().endswith("pass") and _CHECKS.match(text, end):
        return
    if kind == rules.BYTES:
        yield from _numbers(text, end, kind)
        match = _ASSIGNED.match(text, end)
        if match is not None and match["sign"] and match["quoted"] and rules.is_long_key(match["quoted"]):
            yield match.span("quoted")
        return
    span = _assigned(text, start, end, kind, settings)
    if span is None:
        span = _defined(text, start, end, kind) or _in_markup(text, end, kind) or _in_pair(text, start, end, kind)
        span = span or _otherwise(text, start, end, kind) or in_a_roundabout_way(text, start, end, kind)
    if span is not None:
        yield span
        return
    before = end
    below = _below(text, start, end, kind) if yaml else ()
    lists = _numbers(text, end, kind), _strings(text, end, kind), _heredoc(text, end, kind)
    for found in (*lists, below, nearby(text, start, end, kind)):
        for one in found:
            before = one[1]
            yield one
        if before != end:
            return


def _assigned(text: str, start: int, end: int, kind: str, settings: Forms) -> Span | None:
    match = _ASSIGNED.match(text, end)
    if match is not None and match["quoted"] is not None:
        named = match["mark"] and start and text[start - 1] in "\"'`" and text[end - 1] != "."
        paired = text[start - 1 : start] == "{" or named  # {password, "value"}, ("password", "value")
        if match["comma"] and not paired and not _COPIES.search(text, max(0, start - 120), start):
            return None  # f(password, "value"): the second argument is not the first one's value
        if rules.is_key_bytes_text(match["quoted"]) or rules.is_secret_value(match["quoted"], kind):
            return match.span("quoted")
        return None
    for pattern, group in settings:
        line = pattern.match(text, end)
        if line is not None and (line["sign"] or _BEGINS_LINE.search(text, max(0, start - 60), start)):
            first, last = line.span(group)
            if not line["sign"] and line[group].startswith("("):
                break  # set tokens (command) of fish
            if group == "either" or not re.search(r"[({\[]", line[group]):  # the end of {password: value}
                last -= len(line[group]) - len(line[group].rstrip(")}]"))
            if rules.is_secret_value(text[first:last], kind) and not (
                group == "either" and rules.is_access(line[group])
            ):
                return first, last
            break  # a part of it may be one, as in an attribute: <a token=...>text</a>
    if match is not None and match["sign"]:
        first = match.start("prefix")
        value = text[first : match.end("bare")]
        if rules.is_unquoted_secret(value, kind, match.end("sign") == first):
            return first, match.end("bare")
    return None


def _defined(text: str, start: int, end: int, kind: str) -> Span | None:
    """Return the value behind ``#define NAME`` and the like."""
    match = _DEFINED.match(text, end)
    if match is None or not _DEFINES.search(text, max(0, start - 40), start):
        return None
    return match.span("quoted") if rules.is_secret_value(match["quoted"], kind) else None


def _otherwise(text: str, start: int, end: int, kind: str) -> Span | None:
    """Return the value that Lua, Robot Framework or Kconfig write in their own way, or that C writes by characters."""
    for before, pattern in _WRITTEN_OTHERWISE:
        match = pattern.match(text, end)
        if match is not None and before.search(text, max(0, start - 40), start):
            return match.span("bare") if rules.is_secret_value(match["bare"], kind) else None
    match = _CHARACTERS.match(text, end)
    if match is not None and rules.is_secret_value("".join(re.findall(r"'(.)'", match["bare"])), kind):
        return match.span("bare")
    return None


def _in_markup(text: str, end: int, kind: str) -> Span | None:
    """Return the text of an element of this name, or of one whose attribute is this name."""
    if text.find(">", end, end + 100) < 0:
        return None
    for pattern in (_XML, _XML_VALUE, _XML_TEXT, _PLIST):
        match = pattern.match(text, end)
        if match is not None:
            return match.span("bare") if rules.is_secret_value(match["bare"], kind) else None
    return None


def _in_pair(text: str, start: int, end: int, kind: str) -> Span | None:
    """Return the value of ``name: NAME`` and ``value: ...``, or the default of a block with this name."""
    for pattern in (_PAIR, _BLOCK):
        match = pattern.match(text, end)
        if match is None:
            continue
        group = "quoted" if match["quoted"] is not None else "bare"
        return match.span(group) if rules.is_secret_value(match[group], kind) else None
    return None


def _below(text: str, start: int, end: int, kind: str) -> Iterator[Span]:
    """Yield values on the lines below a key of YAML: a scalar, a block, the items of a list."""
    opens = _BELOW.match(text, end)
    if opens is None:
        return
    line = text.rfind("\n", 0, start) + 1
    indent = len(text[line:start]) - len(text[line:start].lstrip(" \t-\"'"))
    position = opens.end()
    for _ in range(30):
        match = _BELOW_LINE.match(text, position)
        if match is None or len(match["blanks"]) + bool(match["item"]) <= indent:
            return
        judge = rules.is_sure_secret if match["key"] else rules.is_secret_value
        if judge(match["value"], kind) and not re.match(r"[\w.-]+:", match["value"]):
            yield match.span("value")
        position = match.end() + (2 if text.startswith("\r\n", match.end()) else 1)


def _heredoc(text: str, end: int, kind: str) -> Iterator[Span]:
    """Yield the lines of a heredoc that has this name, where they are nothing but a value."""
    opens = _HEREDOC.match(text, end)
    position = opens.end() if opens else len(text)
    for _ in range(30):
        match = _HEREDOC_LINE.match(text, position)
        if match is None or opens is None or match["value"] == opens["end"]:
            return
        if rules.is_secret_value(match["value"], kind):
            yield match.span("value")
        position = text.find("\n", match.end()) + 1 or len(text)


def _strings(text: str, end: int, kind: str) -> Iterator[Span]:
    """Yield the strings of a list that has this name."""
    opens = _STRINGS.match(text, end)
    position = opens.end() if opens else len(text)
    for _ in range(100):
        match = _STRING.match(text, position)
        if match is None:
            return
        if rules.is_secret_value(match["quoted"], kind):
            yield match.span("quoted")
        position = match.end()


def _numbers(text: str, end: int, kind: str) -> Iterator[Span]:
    """Yield a long number, or a list of bytes or words, that is a key."""
    match = _NUMBER.match(text, end)
    if match is not None:
        if rules.is_key_digits(match["number"], kind):
            yield match.span("number")
        return
    opens = _LIST_OPENS.match(text, end)
    if opens is None:
        return
    position, digits, decimal = opens.end(), [], []
    for _ in range(_LIST_LIMIT):
        element = _ELEMENT.match(text, position)
        if element is None:
            break
        if element["number"] is not None:
            decimal.append(int(element["number"]))
        else:
            digits.append((element["hex"] or element["sv"] or element["vhdl"]).replace("_", "").rjust(2, "0"))
        position = element.end()
    if rules.is_key_list(digits, decimal, kind):
        yield opens.end(), position
