"""The plugin with the real server and a real repository in a terminal: the screen and the saved files."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from editor import Terminal, discard, environment, make_repository, wait

ONDOL = os.environ.get("ONDOL", "ondol")
THINGS = (
    "orders",
    "customers",
    "invoices",
    "parcels",
    "refunds",
    "coupons",
    "suppliers",
    "baskets",
    "reviews",
    "payments",
)

MODULE = '''"""Reading of {things}."""
import json
import logging

logger = logging.getLogger(__name__)


def load_{things}(path, limit, host, key, owner):
    """Load the {things} of a file."""
    with open(path, encoding="utf-8") as handle:
        records = json.load(handle)
    if not isinstance(records, list):
        raise ValueError(f"{{path}} does not hold a list of records")
    if limit < 0:
        raise ValueError(f"{{limit}} is below the smallest limit allowed")
    if not records:
        logger.warning("skipped an empty file of %s", owner)
    if host is None:
        raise TimeoutError(f"{{host}} did not answer within the limit")
    if owner is None:
        logger.error("cannot reach the store of %s", owner)
    if key not in records:
        raise KeyError(f"{{key}} went missing from the settings")
    if len(records) > limit:
        logger.info("loaded only %d records from %s", limit, path)
    if key == owner:
        raise PermissionError(f"{{owner}} may not read the keys of others")
    if path == host:
        raise OSError(f"{{path}} went away during the transfer")
    if limit == 0:
        logger.debug("waiting for the lock on %s", path)
    return records[:limit]
'''
DRIVER = """/* Driver of {things}. */
#include "driver.h"

int open_{things}(struct device *device)
{{
\tif (device == NULL)
\t\treturn report_error(DEVICE_MISSING, __func__);
\treturn start_device(device, DEFAULT_TIMEOUT);
}}
"""
KOREAN = """# 주문 처리
def check_{things}(항목):
    결과 = 검사하기(항목, 최대_개수=100)
    return 결과
"""

# For each test, the typed text and its continuation in the repository. No two tests share a line, since the unfinished
# line of one test would be suggested in another.
PLAIN = ('        raise ValueError(f"{path} does', ' not hold a list of records")')
WORDS = ('        raise ValueError(f"{limit} is', ' below the smallest limit allowed")')
DISMISSED = ('        logger.warning("skipped an', ' empty file of %s", owner)')
THROUGH = ('        raise TimeoutError(f"{host} did', ' not answer within the limit")')
OFF = ('        logger.error("cannot', ' reach the store of %s", owner)')
MIDDLE = ('        raise KeyError(f"{key} went', ' missing from the settings")')
DOS = ('        logger.info("loaded only', ' %d records from %s", limit, path)')
WIDE = ('        raise PermissionError(f"{owner} may', ' not read the keys of others")')
KILLED = ('        raise OSError(f"{path} went', ' away during the transfer")')
LONG = ('        logger.debug("waiting for', ' the lock on %s", path)')
ANNOUNCE = "return announce_everything_twice(loud, repeat=True)"
SETUP = f"""{{
  cmd = {{ '{ONDOL}', 'serve', '--stdio' }},
  keys = {{ accept = '<Tab>', accept_word = '<C-l>', accept_line = '<C-j>', dismiss = '<C-e>' }},
  settings = {{ multi_line = false, precision = 0.01 }},
}}"""
STATUS_LINE = "vim.o.statusline = \"%f [%{%v:lua.require'ondol'.statusline()%}]\" vim.o.laststatus = 2"


def files() -> dict[str, str]:
    """Return the files of the test repository."""
    made = {f"shop/{things}.py": MODULE.format(things=things) for things in THINGS}
    made |= {f"drivers/{things}.c": DRIVER.format(things=things) for things in THINGS}
    made |= {f"korean/{things}.py": KOREAN.format(things=things) for things in THINGS[:6]}
    return made


@pytest.fixture(scope="module", params=["0.12", "0.10"])
def desk(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """One editor for all tests of this file. Each test uses its own files."""
    home = Path(tempfile.mkdtemp(prefix="on-"))
    repo = make_repository(home / "repo", files())
    other = make_repository(
        home / "other repo",
        {f"{name}.py": f"def {name}(loud):\n    if not loud:\n        {ANNOUNCE}\n" for name in "abcdefgh"},
    )
    # Index at normal priority. The server itself indexes at the lowest priority.
    for folder in (repo, other):
        subprocess.run([ONDOL, "index", str(folder)], env=environment(home), check=True, stdout=subprocess.DEVNULL)
    terminal = Terminal(request.param, home, repo, SETUP, files=["shop/orders.py"], before=STATUS_LINE)
    terminal.home, terminal.repo = home, repo
    try:
        terminal.ready("shop/orders.py")
        yield terminal
    finally:
        terminal.close()
        discard(home)


@pytest.fixture
def page(desk: Terminal) -> Iterator[Terminal]:
    """The editor in normal mode with a new file, which is deleted after the test."""
    path = desk.repo / f"page_{time.monotonic_ns()}.py"
    path.write_text(
        "import json\n\n\ndef check(path, records):\n    if not isinstance(records, list):\n        pass\n",
        encoding="utf-8",
    )
    desk.open(path)
    desk.path = path
    desk.ready("page_.*")
    yield desk
    desk.keys("Escape")
    wait(lambda: desk.rpc.api.get_mode()["mode"] == "n", "normal mode")
    desk.rpc.command(f"silent! bwipeout! {str(desk.path).replace(' ', chr(92) + ' ')} | silent! bwipeout! {path}")
    path.unlink(missing_ok=True)
    desk.path.unlink(missing_ok=True)
    desk.rpc.command(f"edit! {desk.repo / 'shop' / 'orders.py'}")


def line(page: Terminal, text: str) -> None:
    """Replace the last line by typing this one, without the editor's indentation."""
    page.keys("G", "0", "D", "i")
    page.type(text)


def see(page: Terminal, text: str) -> None:
    """Wait until the screen shows this text."""
    page.see(re.escape(text))


def last(page: Terminal, text: str) -> None:
    """Wait until this is the last line of the file."""
    wait(lambda: page.lines()[-1] == text, repr(text), lambda: repr(page.lines()[-3:]) + page.details())


def normal(page: Terminal) -> None:
    """Switch to normal mode."""
    page.keys("Escape")
    wait(lambda: page.rpc.api.get_mode()["mode"] == "n", "normal mode", page.details)


def saved(page: Terminal) -> bytes:
    """Save the file and return its content."""
    normal(page)
    page.rpc.command("silent write")
    return page.path.read_bytes()


def test_ghost_text_is_visible_accepted_and_undone(page):
    typed, rest = PLAIN
    line(page, typed)
    see(page, typed + rest)
    assert page.lines()[-1] == typed, "the ghost text is in the buffer"
    row = next(row for row in page.screen(colours=True).splitlines() if "does" in row)
    assert "\x1b[" in row.split("does", 1)[1], "the ghost text looks like typed text"
    page.keys("Tab")
    last(page, typed + rest)
    normal(page)
    page.keys("u")
    last(page, typed)


def test_word_and_line(page):
    typed, rest = WORDS
    line(page, typed)
    see(page, typed + rest)
    page.keys("C-l")
    last(page, typed + " below")
    see(page, typed + rest)
    page.keys("C-l")
    last(page, typed + " below the")
    see(page, typed + rest)
    page.keys("C-j")
    last(page, typed + rest)


def test_dismissed_with_a_key_and_with_escape(page):
    typed, rest = DISMISSED
    line(page, typed)
    see(page, typed + rest)
    page.keys("C-e")
    page.see_not(re.escape(rest))
    assert page.rpc.api.get_mode()["mode"] == "i"
    page.type(" empty")  # the line gets nothing automatic any more
    last(page, typed + " empty")
    time.sleep(1)
    assert "file of" not in page.screen()
    page.keys("Escape")
    assert saved(page).decode().splitlines()[-1] == typed + " empty"


def test_typing_the_suggestion_keeps_it(page):
    typed, rest = THROUGH
    line(page, typed)
    see(page, typed + rest)
    for character in " not answer":
        page.type(character)
        see(page, typed + rest)
    last(page, typed + " not answer")
    page.keys("Tab")
    last(page, typed + rest)


def test_off_shows_nothing(page):
    typed, rest = OFF
    page.rpc.command("Ondol disable")
    page.see(r"\[Ondol off\]")
    line(page, typed)
    time.sleep(1)
    assert rest not in page.screen()
    page.rpc.command("Ondol enable")
    page.attached()
    page.type(" reach")
    see(page, typed + rest)
    page.keys("Tab")
    last(page, typed + rest)


def test_in_the_middle_of_a_line(page):
    typed, rest = MIDDLE
    line(page, typed + '")')
    page.keys("Left", "Left")
    page.type(" missing")
    see(page, typed + rest)
    page.keys("Tab")
    last(page, typed + rest)


def test_crlf_file(page):
    typed, rest = DOS
    page.path = page.repo / f"dos_{time.monotonic_ns()}.py"
    page.path.write_bytes(b"import json\r\n\r\ndef check(path):\r\n    pass\r\n")
    page.open(page.path)
    line(page, typed)
    see(page, typed + rest)
    page.keys("Tab")
    last(page, typed + rest)
    assert saved(page) == b"import json\r\n\r\ndef check(path):\r\n" + (typed + rest).encode() + b"\r\n"


def test_file_with_tabs(page):
    page.path = page.repo / f"drivers/new_{time.monotonic_ns()}.c"
    page.path.write_text('#include "driver.h"\n\nint open_it(struct device *device)\n{\n\n}\n')
    page.open(page.path)
    page.rpc.command("setlocal noexpandtab shiftwidth=8 softtabstop=0 tabstop=8 nocindent indentexpr= autoindent")
    page.keys("5", "G", "i", "Tab")
    page.type("if (device == NULL)")
    page.keys("Enter", "Tab")
    page.type("return report_err")
    page.see(r" {16}return report_error\(DEVICE_MISSING, __func__\);")
    page.keys("Tab")
    wait(lambda: page.lines()[5] == "\t\treturn report_error(DEVICE_MISSING, __func__);", "the text", page.lines)


def test_korean_and_emoji_before_the_cursor(page):
    line(page, "    결과 = 검")
    see(page, "결과 = 검사하기(항목, 최대_개수=100)")
    page.keys("Tab")
    last(page, "    결과 = 검사하기(항목, 최대_개수=100)")
    normal(page)
    typed, rest = WIDE
    line(page, '    note = "😀é한글"; ' + typed.strip())
    see(page, typed.strip() + rest)
    page.keys("Tab")
    last(page, '    note = "😀é한글"; ' + typed.strip() + rest)


def test_two_folders(page):
    page.path = page.home / "other repo" / "new.py"
    page.path.write_text("def new(loud):\n    if not loud:\n        pass\n")
    page.open(page.path)
    page.ready("new.py")
    line(page, "        return announce_every")
    see(page, ANNOUNCE)
    page.keys("Tab")
    last(page, "        " + ANNOUNCE)
    normal(page)
    page.rpc.command("silent write")
    page.open(page.repo / "korean" / "orders.py")
    page.rpc.command("call append('$', ['', ''])")
    line(page, "    결과 = 검")
    page.see(r"결과 = 검사하기[\s\S]*결과 = 검사하기")
    normal(page)
    page.rpc.command("edit!")


def children(process: int) -> list[int]:
    """Return the child processes of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == process:
                found.append(int(entry.name))
    return found


def servers(page: Terminal) -> list[int]:
    """Return the processes of this editor's servers."""
    found = []
    for pid in children(page.lua("return vim.fn.getpid()")):
        with contextlib.suppress(OSError):
            if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def test_server_restarts_after_it_was_killed(page):
    typed, rest = KILLED
    line(page, typed)
    see(page, typed + rest)
    before = servers(page)
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait(lambda: not set(before) & set(servers(page)), "the end of the servers")
    page.see_not(re.escape(rest))
    page.type(" away")
    page.attached()
    see(page, typed + rest)
    page.keys("Tab")
    last(page, typed + rest)


def test_a_hundred_thousand_lines(page):
    typed, rest = LONG
    page.path = page.repo / f"long_{time.monotonic_ns()}.py"
    page.path.write_text(
        "".join(f"n = {number:04d}\n" for number in range(10_000)) * 10
    )  # 0.9 MB: within max_file_bytes
    page.open(page.path)
    page.rpc.command("call append('$', '')")
    line(page, typed)
    see(page, typed + rest)
    page.keys("Tab")
    wait(lambda: page.rpc.current.line == typed + rest, "the text", page.details)
