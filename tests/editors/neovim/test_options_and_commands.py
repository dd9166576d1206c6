"""Buffers with and without suggestions, the options of setup{}, the commands, :checkhealth and the help."""

import re
import time
from pathlib import Path

from editor import CHECKOUT, PLUGIN, events, make_repository, wait

TWO_LINES = "a, b):\n    return a + b"


def test_unsupported_files_are_not_completed(edit, log, repo):
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
    wait(lambda: [Path(event["uri"]).name for event in events(log, "close")] == ["ro.py"], "the file to be closed")


def test_folder_that_is_not_a_repository(edit, log, home):
    plain = home / "plain"
    plain.mkdir()
    (plain / "a.py").write_text("# hello\n")
    editor = edit(folder=plain, file=None)
    editor.open(plain / "a.py")
    assert events(log, "initialize")[0]["root"] is None, "a folder without a root marker must not be indexed"
    editor.keys("odef add(")
    editor.see(TWO_LINES)


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
    editor.see(TWO_LINES)
    editor.keys("<Esc>")
    editor.rpc.command("silent write")
    editor.rpc.command("edit a.py")
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    assert [event["root"] for event in events(log, "initialize")] == [repo.as_uri(), other.as_uri()]
    assert len(editor.lua("return require('ondol.client').servers()")) == 2


def test_the_status_line_says_what_the_server_does_in_words(edit):
    editor = edit()
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    state = "local s = require('ondol.client').server(vim.api.nvim_get_current_buf()); s.status = %s; "
    for status, short, long in (
        ("{state = 'indexing', percent = 42}", "Ondol: indexing 42%%", "indexing, 42 %"),
        ("{state = 'indexing'}", "Ondol: indexing", "indexing"),
        ("{state = 'model-loading'}", "Ondol: loading model", "loading the model, meanwhile suggestions"),
        ("{state = 'problem', message = 'no disk'}", "Ondol !", "no disk"),
        ("{state = 'ready', documents = 3}", "Ondol", "3 files in the index"),
    ):
        assert editor.lua(state % status + "return require('ondol').statusline()") == short
        described = editor.lua(state % status + "return table.concat(require('ondol.status').long(0), '\\n')")
        assert long in described and "model-loading" not in described


def test_off_sends_no_request(edit, log, repo):
    editor = edit()
    words = [
        ("disable", "enable"),
        ("disable buffer", "enable buffer"),
        ("disable filetype", "enable filetype python"),
        ("toggle", "toggle"),
    ]
    for off, on in words:
        editor.rpc.command(f"Ondol {off}")
        wait(lambda: len(events(log, "close")) == len(events(log, "open")), "the file to be closed")
        asked = len(events(log, "ask"))
        editor.keys("<Esc>ccdef add(")
        time.sleep(0.5)
        assert editor.ghost() == "" and len(events(log, "ask")) == asked
        assert editor.lua("return require('ondol').statusline()") == "Ondol off"
        editor.keys("<Esc>")
        editor.rpc.command(f"Ondol {on}")
        editor.attached()
        editor.keys("ccdef add(")
        editor.see(TWO_LINES)
        assert editor.lua("return require('ondol').statusline()") == "Ondol"


def test_off_while_a_suggestion_is_visible(edit, log):
    editor = edit()
    editor.keys("odef add(")
    editor.see(TWO_LINES)
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
        before="""
        vim.api.nvim_create_autocmd('BufReadPost', {
          pattern = 'b.py',
          callback = function() vim.b.ondol_enabled = false end,
        })
        """,
    )
    editor.rpc.command("edit note.md")
    editor.rpc.command("edit b.py")
    editor.open(repo / "a.py")
    wait(
        lambda: [Path(event["uri"]).name for event in events(log, "open")] == ["a.py"], "one file", lambda: events(log)
    )


def test_invalid_options_are_reported(edit):
    editor = edit("menu = 'sometimes', colour = 'red', settings = { precision = 0.9 }")
    assert editor.lua("return require('ondol.config').options.menu") == "hide"
    assert sorted(editor.messages()) == [
        "Ondol: option \"menu\" must be 'hide' or 'show'; the default is used",
        'Ondol: unknown option "colour"; the options are '
        "cmd, debounce_ms, display, enabled, filetypes, keys, menu, next_edits, root_markers, settings",
    ]


def test_settings_reach_the_server(edit, log):
    edit("settings = { precision = 0.9, multiLine = false }")
    shown = {"nextEdits": True, "completionReady": True}
    assert events(log, "initialize")[0]["options"] == {"precision": 0.9, "multiLine": False, **shown}


def test_commands(edit, log):
    editor = edit()

    def complete(line: str) -> list[str]:
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("Ondol ") == [
        "disable",
        "dismissed",
        "doctor",
        "enable",
        "explain",
        "index",
        "log",
        "repeat",
        "restart",
        "snooze",
        "status",
        "toggle",
    ]
    assert complete("Ondol en") == ["enable"]
    assert complete("Ondol enable ") == ["all", "buffer", "filetype"]
    assert "systemverilog" in complete("Ondol disable filetype sys")
    assert complete("Ondol status ") == []
    editor.rpc.command("Ondol status")
    status = "\n".join(editor.lines())
    assert "This buffer: on, shown with " in status and "7 files in the index" in status
    assert editor.lua("return vim.api.nvim_get_mode().mode") == "n", "it waits for no Enter"
    editor.keys("q")
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    shown = wait(lambda: events(log, "didShowCompletion"), "the report")[0]["id"]
    editor.keys("<Esc>")
    editor.rpc.command("Ondol explain")
    wait(lambda: editor.lines() == ["# Why", "", "Because."], "the explanation", editor.lines)
    assert [event["arguments"] for event in events(log, "command") if event["command"] == "ondol.explain"] == [
        [{"id": shown, "plain": True}]
    ]
    editor.keys("q")
    editor.rpc.command("Ondol index")
    wait(lambda: [event for event in events(log, "command") if event["command"] == "ondol.index"], "the index command")
    editor.rpc.command("Ondol doctor")
    wait(lambda: editor.lines() == ["no problems found"], "the doctor", editor.lines)
    editor.keys("q")
    editor.rpc.command("Ondol nonsense")
    assert "unknown command `:Ondol nonsense`" in editor.message_like("nonsense")
    pid = events(log, "start")[-1]["pid"]
    editor.rpc.command("Ondol restart")
    wait(lambda: len(events(log, "start")) == 2 and events(log, "start")[-1]["pid"] != pid, "the new server")
    editor.attached()
    editor.keys("odef add(")
    editor.see(TWO_LINES)


def test_status_line_shows_progress(edit):
    editor = edit(env={"FAKE_STAY_INDEXING": "1"})
    wait(
        lambda: (
            editor.lua("return vim.api.nvim_eval_statusline(require('ondol').statusline(), {}).str")
            == "Ondol: indexing 42%"
        ),
        "42%",
    )


def test_health(edit):
    editor = edit()
    editor.rpc.command("checkhealth ondol")
    report = "\n".join(editor.lines())
    assert "vim.lsp.inline_completion" in report if editor.version == "0.12" else "own ghost text" in report
    assert re.search(r"OK .*version 0\.1\.0", report), report
    assert "a.py: on" in report and re.search(r"OK <Tab>: accept", report)
    assert "ERROR" not in report


def test_health_with_a_key_for_two_actions(edit):
    editor = edit("keys = { accept = '<Tab>', next_edit = '<Tab>' }")
    editor.rpc.command("checkhealth ondol")
    report = "\n".join(editor.lines())
    assert re.search(r"OK <Tab>: accept", report) and re.search(r"OK <Tab>: next edit", report)
    assert "WARN" not in report, report


def test_health_without_the_program(edit):
    editor = edit("cmd = { 'no-such-ondol' }", file=None)
    editor.rpc.command("checkhealth ondol")
    report = "\n".join(editor.lines())
    assert "`no-such-ondol` is not on PATH" in report and f"pipx install {CHECKOUT}" in report


def test_own_ghost_text_by_option(edit, log):
    editor = edit("display = 'own'")
    editor.keys("odef add(")
    editor.see(TWO_LINES)
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
            r"<Plug>\((?:ondol-|Ondol)[A-Za-z-]+\)",
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
    editor.see(TWO_LINES)
    editor.keys("<Tab>")
    assert editor.lines()[1] == "def add(    ", "the key of the earlier options is still mapped"
    editor.keys("<Esc>ccdef add(")
    editor.see(TWO_LINES)
    editor.keys("<C-y>")
    assert editor.lines()[1:] == ["def add(a, b):", "    return a + b"]


def test_a_snooze_pauses_and_ends(edit):
    editor = edit()
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    editor.keys("<Esc>u")
    editor.rpc.command("Ondol snooze")
    editor.rpc.command("Ondol status")
    assert "snoozed (:Ondol snooze ends it)" in "\n".join(editor.lines())
    editor.keys("q")
    editor.rpc.command("Ondol snooze")
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    editor.keys("<Esc>u")
    editor.rpc.command("Ondol snooze 0.002")
    wait(lambda: editor.lua("return (require('ondol.scope').wanted(0))"), "the end of the snooze")
    editor.rpc.command("Ondol snooze never")
    assert any("takes minutes" in message for message in editor.messages())


def test_a_dismissed_text_can_be_inserted_later(edit):
    editor = edit("keys = { dismiss = '<C-e>' }")
    editor.rpc.command("Ondol dismissed")
    assert any("no suggestion was dismissed yet" in message for message in editor.messages())
    editor.keys("odef add(")
    editor.see(TWO_LINES)
    editor.keys("<C-e><Esc>")
    editor.lua(
        "vim.ui.select = function(items, options, done) vim.g.offered = options.format_item(items[1]) done(items[1]) end"
    )
    editor.rpc.command("Ondol dismissed")
    wait(lambda: any("return a + b" in line for line in editor.lines()), "the inserted text", editor.lines)
    assert editor.lua("return vim.g.offered").endswith(" …")
