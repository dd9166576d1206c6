"""Bad servers, bad answers, bad places: nothing wrong is shown, nothing is said twice, and nothing waits."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from editor import PLUGIN, Editor, Terminal, events, make_repository, wait

TWO = "a, b):\n    return a + b"


def settle(editor, log, before: str) -> None:
    """Wait until the server has answered for this text, and Neovim has had time to draw it if it wanted to."""
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
    wait(lambda: events(log, "ask"), "the question")
    editor.type("x")
    settle(editor, log, "late(")
    assert editor.ghost() == ""
    assert events(log, "cancel"), "what is no longer wanted is cancelled"


def test_late_answer_does_not_hide_the_newer_one(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("late(")
    wait(lambda: events(log, "ask"), "the question")
    editor.type("def add(")
    editor.see(TWO)
    settle(editor, log, "late(")
    assert editor.ghost() == TWO


def test_answer_after_leaving_insert_mode(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("wait(")
    wait(lambda: events(log, "ask"), "the question")
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
    wait(lambda: events(log, "ask"), "the question")
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, { '# changed', 'by somebody else' })")
    settle(editor, log, "wait(")
    editor.see("patience)")
    editor.keys("<Tab>")
    assert editor.lines() == ["# changed", "by somebody else", "wait(patience)"]


@pytest.mark.parametrize("text", ["badline(", "badend(", "badstart(", "badtwo(", "badnumber(", "other("])
def test_answers_that_do_not_fit(edit, log, text):
    editor = edit()
    editor.keys("o")
    editor.type(text)
    settle(editor, log, text)
    assert editor.ghost() == ""
    editor.keys("<Tab>")
    assert editor.lines()[1] == text + " " * (-len(text) % 4 or 4)
    assert any("a suggestion was not shown" in line for line in editor.log())
    assert editor.messages() == []


def test_null_and_errors_are_quiet(edit, log):
    editor = edit()
    editor.keys("o")
    for text in ("null(", "error("):
        editor.keys("<Esc>cc" + text)
        settle(editor, log, text)
        assert editor.ghost() == ""
    assert editor.messages() == []
    editor.keys("<Esc>ccdef add(")
    editor.see(TWO)


def say(editor: Editor, pattern: str) -> str:
    return wait(
        lambda: next((line for line in editor.messages() if re.search(pattern, line)), None),
        f"the message {pattern!r}",
        lambda: f"{editor.messages()}\n" + "\n".join(editor.log()),
    )


def test_program_missing(edit, repo):
    editor = edit("cmd = { 'no-such-ondol', 'serve' }", file=None)
    editor.rpc.command("edit a.py")
    assert (
        say(editor, "was not found")
        == "Ondol: the program `no-such-ondol` was not found. Install it with `pipx install ondol`, then `:Ondol restart`."
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
        ("old", "the server is version 0.0.1, this plugin needs 0.1.0 or newer. Cure: `pipx upgrade ondol`."),
        ("bare", "ondol does not offer inline completion: it is too old, or not Ondol. Cure: `pipx upgrade ondol`."),
    ],
)
def test_server_too_old(edit, log, fault, message):
    editor = edit(fault=fault, file=None)
    editor.rpc.command("edit a.py")
    assert say(editor, "version|inline") == "Ondol: " + message
    editor.keys("odef add(")
    time.sleep(0.6)
    assert editor.ghost() == "" and len(editor.messages()) == 1
    assert len(events(log, "start")) == 1 and not events(log, "ask")


def test_server_that_says_nothing(edit):
    editor = edit(fault="silent", file=None, before="require('ondol.client').patience = 300")
    editor.rpc.command("edit a.py")
    assert "has not answered" in say(editor, "answered")
    editor.keys("odef add(<Esc>")
    assert editor.lines() == ["# hello", "def add("]


def test_crash_at_start_stops_trying_and_says_so_once(edit, log):
    editor = edit(fault="crash", file=None)
    editor.rpc.command("edit a.py")
    said = say(editor, "stopped")
    assert said == (
        "Ondol: the server stopped 4 times in a row (exit code 7). It is not started again. `:Ondol log` shows why, "
        "`:Ondol restart` tries again."
    )
    time.sleep(1)
    assert len(events(log, "start")) == 4
    assert editor.messages() == [said]
    editor.rpc.command("Ondol log")
    wait(
        lambda: any("the fake server fails on purpose" in line for line in editor.lines()),
        "the reason in the log",
        editor.lines,
    )
    editor.rpc.command("close")
    editor.rpc.command("Ondol restart")
    wait(lambda: len(events(log, "start")) == 8, "four new tries")


def test_messages_do_not_swallow_keys(home, repo, version):
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
    for count in range(4):
        wait(lambda count=count: len(events(log, "open")) == count + 1, "the server", lambda: editor.log())
        editor.attached()
        editor.keys("<Esc>ccdie(")
        wait(
            lambda: not editor.lua("return require('ondol.session').attached(0 + vim.api.nvim_get_current_buf())"),
            "the crash",
            lambda: editor.log(),
        )
    assert "stopped 4 times" in say(editor, "stopped")
    editor.keys("<Esc>ccstill typing<Tab>x")
    assert editor.lines() == ["still typing    x"] and len(editor.messages()) == 1


def test_killed_and_back(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO)
    os.kill(events(log, "start")[-1]["pid"], signal.SIGKILL)
    editor.see_nothing()
    wait(lambda: len(events(log, "open")) == 2, "the server to come back", lambda: editor.log())
    editor.attached()
    editor.keys("<Esc>odef add(")
    editor.see(TWO)
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


def test_buffers_that_go_are_closed(edit, log, repo):
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
    wait(lambda: len(events(log, "start")) == 2, "the server to come back")
    editor.attached()
    assert editor.lua("return vim.api.nvim_exec2('messages', { output = true }).output").count("rror") == 0
    editor.rpc.command("edit!")
    editor.attached()
    editor.keys("odef add(")
    editor.see(TWO)


def test_files_that_are_not_to_be_completed(edit, log, repo):
    editor = edit(file=None)
    (repo / "ro.py").write_text("# x\n")
    editor.rpc.command("view ro.py")
    assert "read-only" in "\n".join(editor.lua("return require('ondol.status').long(0)"))
    editor.rpc.command("enew | setlocal buftype=nofile")
    editor.rpc.command("help vim")
    editor.rpc.command("enew")
    editor.keys("idef add(<Tab><Esc>")
    assert events(log, "start") == []
    editor.rpc.command("write late.py")
    editor.attached()
    wait(lambda: [Path(event["uri"]).name for event in events(log, "open")] == ["late.py"], "the file with its name")
    editor.rpc.command("edit ro.py | set noreadonly")
    editor.attached()
    editor.rpc.command("set nomodifiable")
    wait(lambda: [Path(event["uri"]).name for event in events(log, "close")] == ["ro.py"], "the file to be let go")


def test_folder_that_is_not_a_repository(edit, log, home):
    plain = home / "plain"
    plain.mkdir()
    (plain / "a.py").write_text("# hello\n")
    editor = edit(folder=plain, file=None)
    editor.open(plain / "a.py")
    assert events(log, "initialize")[0]["root"] is None, "a folder is indexed only when it is marked as one code base"
    editor.keys("odef add(")
    editor.see(TWO)


def test_home_folder_is_not_a_repository(edit, log, home):
    (home / ".git").mkdir()
    (home / "note.py").write_text("# hello\n")
    editor = edit(folder=home, file=None)
    editor.open(home / "note.py")
    assert events(log, "initialize")[0]["root"] is None


def test_two_folders(edit, log, home, repo):
    other = make_repository(home / "other one", {"b.py": "# other\n"})
    editor = edit()
    editor.open(other / "b.py")
    editor.keys("odef add(")
    editor.see(TWO)
    editor.keys("<Esc>")
    editor.rpc.command("silent write")
    editor.rpc.command("edit a.py")
    editor.keys("odef add(")
    editor.see(TWO)
    assert [event["root"] for event in events(log, "initialize")] == [repo.as_uri(), other.as_uri()]
    assert len(editor.lua("return require('ondol.client').servers()")) == 2


def test_off_means_off(edit, log, repo):
    editor = edit()
    words = [
        ("disable", "enable"),
        ("disable buffer", "enable buffer"),
        ("disable filetype", "enable filetype python"),
        ("toggle", "toggle"),
    ]
    for off, on in words:
        editor.rpc.command(f"Ondol {off}")
        wait(lambda: len(events(log, "close")) == len(events(log, "open")), "the file to be let go")
        asked = len(events(log, "ask"))
        editor.keys("<Esc>ccdef add(")
        time.sleep(0.5)
        assert editor.ghost() == "" and len(events(log, "ask")) == asked
        assert editor.lua("return require('ondol').statusline()") == "Ondol off"
        editor.keys("<Esc>")
        editor.rpc.command(f"Ondol {on}")
        editor.attached()
        editor.keys("ccdef add(")
        editor.see(TWO)
        assert editor.lua("return require('ondol').statusline()") == "Ondol"


def test_off_while_shown(edit, log):
    editor = edit()
    editor.keys("odef add(")
    editor.see(TWO)
    editor.keys("<Cmd>Ondol disable<CR>")
    editor.see_nothing()
    editor.keys("<Tab>")
    assert editor.lines() == ["# hello", "def add(    "]


def test_options_for_filetypes_and_buffers(edit, log, repo):
    (repo / "note.md").write_text("# note\n")
    (repo / "b.py").write_text("# b\n")
    editor = edit(
        "filetypes = { ['*'] = false, python = true }",
        file=None,
        before="vim.api.nvim_create_autocmd('BufReadPost', { pattern = 'b.py', callback = function() vim.b.ondol_enabled = false end })",
    )
    editor.rpc.command("edit note.md")
    editor.rpc.command("edit b.py")
    editor.open(repo / "a.py")
    wait(
        lambda: [Path(event["uri"]).name for event in events(log, "open")] == ["a.py"], "one file", lambda: events(log)
    )


def test_wrong_options_are_told(edit):
    editor = edit("menu = 'sometimes', colour = 'red', settings = { precision = 0.9 }")
    assert editor.lua("return require('ondol.config').options.menu") == "hide"
    assert sorted(editor.messages()) == [
        "Ondol: option \"menu\" must be 'hide' or 'show'; the default is used",
        'Ondol: there is no option "colour"; the options are cmd, debounce_ms, display, enabled, filetypes, keys, menu, root_markers, settings',
    ]


def test_settings_reach_the_server(edit, log):
    edit("settings = { precision = 0.9, multiLine = false }")
    assert events(log, "initialize")[0]["options"] == {"precision": 0.9, "multiLine": False}


def test_commands(edit, log):
    editor = edit()

    def complete(line: str) -> list[str]:
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("Ondol ") == [
        "disable",
        "doctor",
        "enable",
        "explain",
        "index",
        "log",
        "restart",
        "status",
        "toggle",
    ]
    assert complete("Ondol en") == ["enable"]
    assert complete("Ondol enable ") == ["all", "buffer", "filetype"]
    assert "systemverilog" in complete("Ondol disable filetype sys")
    assert complete("Ondol status ") == []
    status = editor.lua("return vim.api.nvim_exec2('Ondol status', { output = true }).output")
    assert "This buffer: on, shown by " in status and "7 files in the index" in status
    editor.keys("odef add(")
    editor.see(TWO)
    shown = wait(lambda: events(log, "didShowCompletion"), "the report")[0]["id"]
    editor.keys("<Esc>")
    editor.rpc.command("Ondol explain")
    wait(lambda: editor.lines() == ["# Why", "", "Because."], "the explanation", editor.lines)
    assert [event["arguments"] for event in events(log, "command") if event["command"] == "ondol.explain"] == [
        [{"id": shown}]
    ]
    assert editor.lua("return vim.bo.filetype") == "markdown"
    editor.keys("q")
    editor.rpc.command("Ondol index")
    wait(lambda: [event for event in events(log, "command") if event["command"] == "ondol.index"], "the index command")
    editor.rpc.command("Ondol doctor")
    wait(lambda: editor.lines() == ["everything is well"], "the doctor", editor.lines)
    editor.keys("q")
    editor.rpc.command("Ondol nonsense")
    assert "there is no `:Ondol nonsense`" in say(editor, "nonsense")
    pid = events(log, "start")[-1]["pid"]
    editor.rpc.command("Ondol restart")
    wait(lambda: len(events(log, "start")) == 2 and events(log, "start")[-1]["pid"] != pid, "the new server")
    editor.attached()
    editor.keys("odef add(")
    editor.see(TWO)


def test_status_line_shows_progress(edit):
    editor = edit(env={"FAKE_STAY_INDEXING": "1"})
    wait(
        lambda: editor.lua("return vim.api.nvim_eval_statusline(require('ondol').statusline(), {}).str") == "Ondol 42%",
        "42%",
    )


def test_health(edit):
    editor = edit()
    editor.rpc.command("checkhealth ondol")
    report = "\n".join(editor.lines())
    assert "vim.lsp.inline_completion" in report if editor.version == "0.12" else "own grey text" in report
    assert re.search(r"OK .*version 0\.1\.0", report), report
    assert "a.py: on" in report and re.search(r"OK <Tab>: accept", report)
    assert "ERROR" not in report


def test_health_without_the_program(edit):
    editor = edit("cmd = { 'no-such-ondol' }", file=None)
    editor.rpc.command("checkhealth ondol")
    report = "\n".join(editor.lines())
    assert "`no-such-ondol` is not on PATH" in report and "pipx install ondol" in report


def test_own_drawing_by_option(edit, log):
    editor = edit("display = 'own'")
    editor.keys("odef add(")
    editor.see(TWO)
    time.sleep(0.4)
    assert [event["before"] for event in events(log, "ask")].count("def add(") == 1
    assert editor.lua("return require('ondol.session').display_of(vim.api.nvim_get_current_buf())") == "own"
    editor.keys("<Tab>")
    assert editor.lines()[1:] == ["def add(a, b):", "    return a + b"]


def test_help_has_tags(edit, home):
    editor = edit(file=None)
    copy = home / "help"
    (copy / "doc").mkdir(parents=True)
    text = (PLUGIN / "doc" / "ondol.txt").read_text(encoding="utf-8")
    (copy / "doc" / "ondol.txt").write_text(text, encoding="utf-8")
    editor.rpc.command(f"set runtimepath^={copy}")
    editor.rpc.command(f"helptags {copy / 'doc'}")
    tags = {line.split("\t")[0] for line in (copy / "doc" / "tags").read_text(encoding="utf-8").splitlines()}
    options = editor.lua("return vim.tbl_keys(require('ondol.config').defaults)")
    commands = editor.lua("return vim.fn.getcompletion('Ondol ', 'cmdline')")
    api = [name for name in editor.lua("return vim.tbl_keys(require('ondol'))") if name not in ("too_old", "setup")]
    wanted = (
        {"ondol", "ondol.txt", ":Ondol", "ondol.setup()"}
        | {f"ondol-option-{name}" for name in options}
        | {f":Ondol-{name}" for name in commands}
        | {f"ondol.{name}()" for name in api}
    )
    assert wanted - tags == set()
    plugs = set(
        re.findall(
            r"<Plug>\(ondol-[a-z-]+\)",
            "\n".join(
                editor.lua("""
        return vim.tbl_map(function(map) return map.lhs end, vim.api.nvim_get_keymap('i'))""")
            ),
        )
    )
    assert {plug for plug in plugs if plug not in text and "-before-" not in plug} == set()
    editor.rpc.command("help ondol-options")
    assert max(len(line) for line in text.splitlines()) <= 79


def test_setup_again(edit, log, home):
    editor = edit()
    editor.lua(f"require('ondol').setup{{ cmd = {{ '{home / 'bin' / 'ondol'}' }}, keys = {{ accept = '<C-y>' }} }}")
    wait(lambda: len(events(log, "start")) == 2, "the server with the new options", lambda: editor.log())
    editor.attached()
    editor.keys("odef add(")
    editor.see(TWO)
    editor.keys("<Tab>")
    assert editor.lines()[1] == "def add(    ", "the key of the options before is free again"
    editor.keys("<Esc>ccdef add(")
    editor.see(TWO)
    editor.keys("<C-y>")
    assert editor.lines()[1:] == ["def add(a, b):", "    return a + b"]
