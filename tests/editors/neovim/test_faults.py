"""Faulty servers and invalid answers: nothing wrong is shown and no message appears twice."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from editor import CHECKOUT, Terminal, events, wait

TWO_LINES = "a, b):\n    return a + b"


def asked(log, before: str) -> None:
    """Wait until the server was asked for this text; the first letter may have been asked for before."""
    wait(lambda: any(event["before"] == before for event in events(log, "ask")), f"the request for {before!r}")


def settle(editor, log, before: str) -> None:
    """Wait until the server has answered for this text and Neovim has had time to draw."""
    wait(
        lambda: any(event["before"] == before for event in events(log, "reply")),
        f"the answer for {before!r}",
        lambda: events(log),
    )
    time.sleep(0.3)


def test_late_answer_is_not_shown(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("late(")
    asked(log, "late(")
    editor.type("x")
    settle(editor, log, "late(")
    assert editor.ghost() == ""
    assert events(log, "cancel"), "the replaced request was not cancelled"


def test_late_answer_does_not_hide_the_newer_one(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("late(")
    asked(log, "late(")
    editor.type("def add(")
    editor.see(TWO_LINES)
    settle(editor, log, "late(")
    assert editor.ghost() == TWO_LINES


def test_answer_after_leaving_insert_mode(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("wait(")
    asked(log, "wait(")
    editor.keys("<Esc>")
    settle(editor, log, "wait(")
    assert editor.ghost() == ""
    assert events(log, "cancel")
    editor.keys("A")
    editor.see("patience)")


def test_answer_for_another_version_of_the_text(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("wait(")
    asked(log, "wait(")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, { '# changed', 'by another program' })")
    settle(editor, log, "wait(")
    editor.see("patience)")
    editor.keys("<Tab>")
    assert editor.lines() == ["# changed", "by another program", "wait(patience)"]


@pytest.mark.parametrize("text", ["badline(", "badend(", "badstart(", "badtwo(", "badnumber(", "other("])
def test_invalid_answers_are_not_shown(edit, log, text):
    editor = edit()
    editor.keys("o")
    editor.type(text)
    settle(editor, log, text)
    assert editor.ghost() == ""
    editor.keys("<Tab>")
    assert editor.lines()[1] == text + " " * (-len(text) % 4 or 4)
    assert any("a suggestion was not shown" in line for line in editor.log())
    assert editor.messages() == []


def test_null_and_errors_show_no_message(edit, log):
    editor = edit()
    editor.keys("o")
    for text in ("null(", "error("):
        editor.keys("<Esc>cc" + text)
        settle(editor, log, text)
        assert editor.ghost() == ""
    assert editor.messages() == []
    editor.keys("<Esc>ccdef add(")
    editor.see(TWO_LINES)


def test_program_missing(edit, repo):
    editor = edit("cmd = { 'no-such-ondol', 'serve' }", file=None)
    editor.rpc.command("edit a.py")
    assert (
        editor.message_like("was not found")
        == f"Ondol: the program `no-such-ondol` was not found. Install it with `pipx install {CHECKOUT}`, "
        "then run `:Ondol restart`."
    )
    (repo / "b.py").write_text("")
    editor.rpc.command("edit b.py")
    editor.keys("odef add(<Tab><Esc>")
    time.sleep(0.5)
    assert len(editor.messages()) == 1
    assert editor.lua("return require('ondol').statusline()") == "Ondol !"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "old",
            "the server has version 0.0.1, but this plugin needs 0.1.0 or newer. "
            f"Update it with `pipx install --force {CHECKOUT}`.",
        ),
        (
            "bare",
            "ondol does not support inline completion, so it is too old or not Ondol. "
            f"Update it with `pipx install --force {CHECKOUT}`.",
        ),
    ],
)
def test_server_too_old(edit, log, fault, message):
    editor = edit(fault=fault, file=None)
    editor.rpc.command("edit a.py")
    assert editor.message_like("version|inline") == "Ondol: " + message
    editor.keys("odef add(")
    time.sleep(0.6)
    assert editor.ghost() == "" and len(editor.messages()) == 1
    assert len(events(log, "start")) == 1 and not events(log, "ask")


def test_server_that_does_not_answer(edit):
    editor = edit(fault="silent", file=None, before="require('ondol.client').start_timeout = 300")
    editor.rpc.command("edit a.py")
    assert "has not answered" in editor.message_like("answered")
    editor.keys("odef add(<Esc>")
    assert editor.lines() == ["# hello", "def add("]


def test_repeated_crash_at_start_shows_one_message(edit, log):
    editor = edit(fault="crash", file=None)
    editor.rpc.command("edit a.py")
    said = editor.message_like("stopped")
    assert said == (
        "Ondol: the server stopped 4 times in a row (exit code 7). It will not be restarted automatically. "
        "`:Ondol log` shows the reason, `:Ondol restart` starts it again."
    )
    time.sleep(1)
    assert len(events(log, "start")) == 4
    assert editor.messages() == [said]
    editor.rpc.command("Ondol log")
    wait(
        lambda: any("the fake server fails intentionally" in line for line in editor.lines()),
        "the reason in the log",
        editor.lines,
    )
    editor.rpc.command("close")
    editor.rpc.command("Ondol restart")
    wait(lambda: len(events(log, "start")) == 8, "four more starts")


def test_messages_do_not_discard_keys(home, repo, version):
    terminal = Terminal(
        version, home, repo, "{ cmd = { 'no-such-ondol-in-any-folder-that-could-be-on-the-path' } }", files=["a.py"]
    )
    try:
        terminal.see(r"Ondol: the program .* … \(:Ondol log\)")
        assert "Press ENTER" not in terminal.screen()
        terminal.keys("o")
        terminal.type("typed on")
        wait(lambda: terminal.lines() == ["# hello", "typed on"], "the keys", terminal.screen)
    finally:
        terminal.close()


def test_crash_loop_while_typing(edit, log):
    editor = edit()
    editor.keys("<Esc>ccdie(")  # each server is asked for this text again, and ends
    assert "stopped 4 times" in editor.message_like("stopped")
    editor.keys("<Esc>ccstill typing<Tab>x")
    assert editor.lines() == ["still typing    x"] and len(editor.messages()) == 1


def test_server_restarts_after_it_was_killed(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    os.kill(events(log, "start")[-1]["pid"], signal.SIGKILL)
    editor.see_nothing()
    wait(lambda: len(events(log, "open")) == 2, "the restart of the server", lambda: editor.log())
    editor.attached()
    editor.keys("<Esc>odef add(")
    editor.see(TWO_LINES)
    editor.keys("<Tab>")
    assert editor.lines()[2:] == ["def add(a, b):", "    return a + b"]
    assert editor.messages() == []


TEXTS = """
    local client = vim.lsp.get_clients({ name = 'ondol' })[1]
    local answer = vim.lsp.buf_request_sync(0, 'workspace/executeCommand', { command = 'fake.texts' }, 5000)
    local text = answer[client.id].result[vim.uri_from_bufnr(0)]
    local stop = vim.bo.fileformat == 'dos' and '\\r\\n' or '\\n'
    local own = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, true), stop) .. (vim.bo.endofline and stop or '')
    return { text, own }
"""


@pytest.mark.parametrize("kind", ["unix", "dos", "noeol"])
@pytest.mark.parametrize("gap", ["none", "off", "crash"])
def test_the_server_has_the_text_of_the_buffer(edit, log, repo, gap, kind):
    seed = int(time.time())
    print("seed", seed)
    chance = random.Random(seed)
    text = "".join(f"line {number} 값\n" for number in range(30)).encode()
    (repo / "walk.txt").write_bytes(
        {"unix": text, "dos": text.replace(b"\n", b"\r\n"), "noeol": text.rstrip(b"\n")}[kind]
    )
    editor = edit(file="walk.txt", before="vim.o.fixendofline = false")
    if gap == "off":
        editor.rpc.command("Ondol disable")
        editor.keys("ggdd")
        editor.rpc.command("Ondol enable")
    elif gap == "crash":
        os.kill(events(log, "start")[-1]["pid"], signal.SIGKILL)
        wait(lambda: "the server ended" in "\n".join(editor.log()), "the end of the server")
        editor.keys("ggdd")
    editor.attached()
    for _ in range(6):
        for _ in range(chance.randrange(1, 6)):
            editor.rpc.command(f"call cursor({chance.randrange(1, 40)}, {chance.randrange(1, 12)})")
            editor.keys(
                chance.choice(
                    [
                        "dd",
                        "x",
                        "ofresh 😀<Esc>",
                        "Ofresh<CR>and more<Esc>",
                        "J",
                        "yyp",
                        "GA!<Esc>",
                        "Gdd",
                        "u",
                        "<C-r>",
                        "3dd",
                        "Golast<Esc>",
                        "ccother<Esc>",
                    ]
                )
            )
        server, own = wait(
            lambda: (pair := editor.lua(TEXTS))[0] == pair[1] and pair,
            "the texts to agree",
            lambda: editor.lua(TEXTS),
            5,
        )
        assert server == own
    assert len(editor.messages()) <= 2


def test_deleted_buffers_are_closed(edit, log, repo):
    (repo / "b.py").write_text("# b\n")
    editor = edit()
    editor.rpc.command("Ondol disable")
    editor.keys("Goedited while off<Esc>")
    editor.rpc.command("Ondol enable")
    editor.attached()
    editor.open(repo / "b.py")
    editor.rpc.command("bwipeout! a.py")
    wait(
        lambda: [Path(event["uri"]).name for event in events(log, "close")] == ["a.py", "a.py"],
        "the file to be closed",
        lambda: events(log),
    )
    os.kill(events(log, "start")[-1]["pid"], signal.SIGKILL)
    wait(lambda: len(events(log, "start")) == 2, "the restart of the server")
    editor.attached()
    assert editor.lua("return vim.api.nvim_exec2('messages', { output = true }).output").count("rror") == 0
    editor.rpc.command("edit!")
    editor.attached()
    editor.keys("odef add(")
    editor.see(TWO_LINES)
