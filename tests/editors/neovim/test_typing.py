"""The behaviour of suggestions while typing, in a real Neovim with a server that has known answers."""

import time

import pytest

from editor import events, wait

TWO_LINES = "a, b):\n    return a + b"


def requested(log) -> list[str]:
    """Return the text before the cursor of each request."""
    return [event["before"] for event in events(log, "ask")]


def test_accept_whole_and_undo_in_one_step(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    assert editor.lines() == ["# hello", "def add("]
    editor.keys("<Tab>")
    assert editor.lines() == ["# hello", "def add(a, b):", "    return a + b"]
    assert editor.cursor() == (3, 16)
    assert editor.ghost() == ""
    editor.keys("!<Esc>")
    assert editor.lines()[2] == "    return a + b!"
    editor.keys("uu")
    assert editor.lines() == ["# hello", "def add("]
    command = wait(lambda: events(log, "command"), "the accept command")
    shown = events(log, "didShowCompletion")
    assert command == [{"event": "command", "command": "ondol.accepted", "arguments": [{"id": shown[0]["id"]}]}]
    assert len(shown) == 1


def test_word_and_line(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("x = long")
    editor.see("_name(first, second)\n    third = fourth")
    steps = []
    for key in ("<C-l>", "<C-l>", "<C-l>", "<C-j>", "<C-j>"):
        editor.keys(key)
        steps.append(editor.lines()[1:])
    line = "x = long_name(first, second)"
    assert steps == [
        ["x = long_name"],
        ["x = long_name("],
        ["x = long_name(first"],
        [line],
        [line, "    third = fourth"],
    ]
    wait(lambda: events(log, "command"), "the accept command after the last part")
    wait(
        lambda: [event["length"] for event in events(log, "didPartiallyAcceptCompletion")] == [13, 14, 19, len(line)],
        "the reports",
    )


def test_typing_the_suggestion_keeps_it_and_sends_no_request(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    before = len(requested(log))
    for count, character in enumerate("a, b):", 1):
        editor.keys(character)
        assert editor.ghost() == TWO_LINES[count:]
    editor.keys("<CR>")
    editor.type("    retu")
    assert editor.ghost() == "rn a + b"
    time.sleep(0.4)  # longer than any debounce
    assert len(requested(log)) == before
    editor.keys("<Tab>")
    assert editor.lines()[1:] == ["def add(a, b):", "    return a + b"]


def test_a_request_does_not_wait_for_the_module_of_neovim(edit, log):
    """The module waits for a pause of 200 ms; whoever types faster would see nothing."""
    editor = edit()
    editor.keys("o")
    editor.lua("""
        local group = 'nvim.lsp.inline_completion:' .. vim.api.nvim_get_current_buf()
        pcall(vim.api.nvim_clear_autocmds, { group = group, event = { 'CursorMovedI', 'TextChangedP' } })
    """)
    editor.type("def add(")
    editor.see(TWO_LINES)
    assert requested(log)[-1] == "def add("


def test_a_text_is_requested_once(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("nothing known")
    wait(lambda: requested(log)[-1:] == ["nothing known"], "the request")
    time.sleep(0.4)  # longer than the module of Neovim waits
    assert requested(log).count("nothing known") == 1


def test_another_character_removes_it_at_once(edit):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("z")
    assert editor.ghost() == ""
    editor.keys("<BS>")
    editor.see(TWO_LINES)


def test_accept_right_after_typing_on(edit):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.rpc.input("a,<Tab>")
    assert wait(lambda: editor.lines()[1:], "text") == ["def add(a, b):", "    return a + b"]


def test_dismiss(edit, log):
    editor = edit("keys = { accept = '<Tab>', dismiss = '<C-e>' }")
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<C-e>")
    assert editor.ghost() == ""
    time.sleep(0.4)
    assert editor.ghost() == ""
    assert editor.lua("return vim.api.nvim_get_mode().mode") == "i"
    editor.keys("<BS>(")
    editor.see(TWO_LINES)
    editor.keys("<Esc>")
    assert editor.ghost() == ""
    assert editor.lines() == ["# hello", "def add("]


def dismissed(log) -> list[list[str]]:
    """Return the arguments of each report of a refused suggestion."""
    return [event["arguments"] for event in events(log, "command") if event["command"] == "ondol.dismissed"]


def test_a_refused_suggestion_is_reported(edit, log):
    editor = edit("keys = { accept = '<Tab>', dismiss = '<C-e>' }")
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    shown = [event["id"] for event in wait(lambda: events(log, "didShowCompletion"), "the report that it was shown")]
    editor.keys("<C-e>")
    wait(lambda: dismissed(log) == [shown], "the report after the key", lambda: dismissed(log))
    editor.keys("<BS>(")
    editor.see(TWO_LINES)
    editor.keys("<Esc>")
    wait(lambda: len(dismissed(log)) == 2, "the report after Escape", lambda: dismissed(log))
    assert dismissed(log)[1] == [events(log, "didShowCompletion")[-1]["id"]]
    editor.keys("A")
    editor.type(" ")
    editor.keys("<Esc>")
    editor.lua("vim.wait(100)")
    assert len(dismissed(log)) == 2, "Escape without a suggestion is no refusal"


def test_a_command_from_insert_mode_is_no_refusal(edit, log):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<C-o>")
    editor.keys("zz")
    editor.type("q")
    wait(lambda: any(event["before"] == "def add(q" for event in events(log, "ask")), "a later request")
    assert dismissed(log) == []


def test_a_server_without_the_command_gets_no_report(edit, log):
    editor = edit(fault="early")
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<Esc>")
    editor.keys("o")
    editor.type("whole(")
    editor.see("a, b)")
    assert events(log, "command") == []
    assert editor.messages() == []


def test_cursor_moved_away(edit):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<Left>")
    editor.see_nothing()
    editor.keys("<Esc>")
    editor.see_nothing()


def test_in_the_middle_of_a_line(edit):
    editor = edit()
    editor.keys("o")
    editor.type("whole() + 1")
    editor.keys("<Esc>F(a")
    editor.keys("x<BS>")
    editor.see("a, b")
    editor.keys("<Tab>")
    assert editor.lines() == ["# hello", "whole(a, b) + 1"]
    assert editor.cursor() == (2, len("whole(a, b)"))


def test_several_lines_in_the_middle_of_a_line(edit):
    editor = edit()
    editor.keys("o")
    editor.type("def add(): pass")
    editor.keys("<Esc>F(ax<BS>")
    editor.see("a, b):‹ ›\n    return a + b‹): pass›")
    editor.keys("<Tab>")
    assert editor.lines() == ["# hello", "def add(a, b):", "    return a + b): pass"]


def test_a_bracket_that_the_editor_closed(edit):
    editor = edit(before="vim.keymap.set('i', '(', '()<Left>')")
    editor.keys("o")
    editor.type("pair")
    editor.keys("(")
    assert editor.lines()[1] == "pair()"
    editor.see("left, right")
    editor.keys("<C-l>")
    assert editor.lines()[1] == "pair(left)"
    assert editor.ghost() == ", right"
    editor.keys("<Tab>")
    assert editor.lines()[1] == "pair(left, right)"


def test_korean_and_emoji_before_the_cursor(edit):
    editor = edit()
    editor.keys("o")
    editor.type("값 = '😀é한글'; greet(")
    editor.see("이름, 'hello 🙂')")
    editor.keys("<C-l>")
    assert editor.lines()[1] == "값 = '😀é한글'; greet(이름"
    editor.keys("<Tab>")
    assert editor.lines()[1] == "값 = '😀é한글'; greet(이름, 'hello 🙂')"


def test_tabs(edit, repo):
    (repo / "a.c").write_text("// hello\n")
    editor = edit(file="a.c", before="vim.o.expandtab, vim.o.shiftwidth = false, 0")
    editor.keys("o")
    editor.type("\ttab(")
    editor.see("1):\n        return 2")
    editor.keys("<Tab>")
    assert editor.lines()[1:] == ["\ttab(1):", "\treturn 2"]


def test_crlf(edit, repo, log):
    (repo / "dos.py").write_bytes(b"# one\r\n# two\r\n")
    editor = edit(file="dos.py")
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<Tab><Esc>")
    editor.rpc.command("write")
    assert (repo / "dos.py").read_bytes() == b"# one\r\ndef add(a, b):\r\n    return a + b\r\n# two\r\n"


def test_other_suggestions(edit, log):
    editor = edit("keys = { accept = '<Tab>', next = '<C-n>', previous = '<C-p>', trigger = '<C-b>' }")
    editor.keys("o")
    editor.type("alts(")
    editor.see("one)")
    assert [event["kind"] for event in events(log, "ask")][-1] == 2
    editor.keys("<C-n>")
    editor.see("two) (2/3)")
    editor.keys("<C-n>")
    editor.see("three) (3/3)")
    editor.keys("<C-n><C-p>")
    editor.see("three) (3/3)")
    editor.keys("<Tab>")
    assert editor.lines()[1] == "alts(three)"
    assert [event["kind"] for event in events(log, "ask")].count(1) == 1
    editor.keys("<CR>alts(<C-b>")
    editor.see("one)")
    assert [event["kind"] for event in events(log, "ask")].count(1) == 2


def test_keys_keep_their_earlier_function(edit):
    editor = edit(
        before="""
        vim.keymap.set('i', '<C-l>', 'ELL')
        vim.keymap.set('i', '<C-j>', function() return 'JAY' end, { expr = true })
        """
    )
    editor.keys("o")
    editor.keys("no<C-l><C-j><Tab>|")
    assert editor.lines()[1] == "noELLJAY    |"


def test_tab_indents_where_the_suggestion_only_indents(edit):
    editor = edit()
    editor.keys("o")
    editor.type("# indent")
    editor.keys("<Esc>ox<BS>")
    editor.see("    indented()")
    editor.keys("<Tab>")
    assert editor.lines()[-1] == "    "
    editor.see("indented()")
    editor.keys("<Tab>")
    assert editor.lines()[-1] == "    indented()"


def test_plug_maps_and_expression_maps(edit):
    editor = edit(
        "keys = {}",
        before="""
        vim.keymap.set('i', '<C-g>', '<Plug>(ondol-accept)')
        vim.keymap.set('i', '<Right>', function()
          return require('ondol').accept() and '' or '<Right>'
        end, { expr = true })""",
    )
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.keys("<Tab>")
    assert editor.lines()[1] == "def add(    ", "a key was mapped that the options do not name"
    editor.keys("<Esc>ccdef add(")
    editor.see(TWO_LINES)
    editor.keys("<Right>")
    assert wait(lambda: len(editor.lines()) == 3, "the text") and editor.lines()[1:] == [
        "def add(a, b):",
        "    return a + b",
    ]
    editor.keys("<Esc>ccx = long")
    editor.see("_name(first, second)\n    third = fourth")
    editor.keys("<C-g>")
    assert editor.lines()[2:] == ["x = long_name(first, second)", "    third = fourth"]


@pytest.mark.parametrize("version", ["0.12"], indirect=True)
def test_the_module_of_neovim_can_accept_it(edit, log):
    editor = edit(
        "keys = {}",
        before="""
        vim.keymap.set('i', '<Tab>', function()
          if not vim.lsp.inline_completion.get() then return '<Tab>' end
        end, { expr = true })""",
    )
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.type("a, ")
    editor.keys("<Tab>")
    wait(lambda: editor.lines()[1:] == ["def add(a, b):", "    return a + b"], "the text", editor.lines)
    wait(lambda: events(log, "command"), "the accept command")
    editor.see_nothing()


def test_menu_hides_it_until_the_menu_closes(edit):
    editor = edit()
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.lua("vim.fn.complete(9, {'alpha', 'beta'})")
    wait(lambda: editor.lua("return vim.fn.pumvisible()") == 1, "the menu")
    editor.see_nothing()
    assert editor.lines()[1] != "def add("
    editor.keys("<C-e>")
    wait(lambda: editor.lua("return vim.fn.pumvisible()") == 0, "no menu")
    assert editor.lines()[1] == "def add("
    editor.see(TWO_LINES)


def test_menu_option_show(edit):
    editor = edit("menu = 'show'", before="vim.o.completeopt = 'menuone,noinsert'")
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.lua("vim.fn.complete(9, {'alpha', 'beta'})")
    wait(lambda: editor.lua("return vim.fn.pumvisible()") == 1, "the menu")
    time.sleep(0.3)
    assert editor.ghost() == TWO_LINES


@pytest.mark.parametrize("plugin", ["cmp", "blink.cmp"])
def test_menu_plugins(edit, plugin):
    stand_in = (
        """
        open, handlers = false, {}
        local say = function(name) for _, f in ipairs(handlers[name] or {}) do f() end end
        package.loaded['cmp'] = { visible = function() return open end,
          event = { on = function(_, name, f)
            handlers[name] = handlers[name] or {}
            table.insert(handlers[name], f)
          end } }
        turn = function(on) open = on say(on and 'menu_opened' or 'menu_closed') end
    """
        if plugin == "cmp"
        else """
        open = false
        package.loaded['blink.cmp'] = { is_menu_visible = function() return open end }
        turn = function(on)
          open = on
          vim.api.nvim_exec_autocmds('User', { pattern = on and 'BlinkCmpMenuOpen' or 'BlinkCmpMenuClose' })
        end
    """
    )
    editor = edit(before=stand_in)
    editor.keys("o")
    editor.type("def add(")
    editor.see(TWO_LINES)
    editor.lua("turn(true)")
    editor.see_nothing()
    assert editor.lua("return require('ondol').accept()") is False, "an invisible suggestion was accepted"
    editor.lua("turn(false)")
    editor.see(TWO_LINES)


def test_macro_is_not_disturbed(edit, log):
    editor = edit()
    editor.lua("vim.fn.setreg('q', 'odef add(' .. vim.keycode('<Tab>') .. '1' .. vim.keycode('<Esc>'))")
    editor.keys("@q@q")
    assert editor.lines() == ["# hello", "def add(    1", "def add(    1"]


def test_a_hundred_thousand_lines(edit, repo):
    (repo / "long.py").write_text("".join(f"value_{i} = {i}\n" for i in range(100_000)))
    editor = edit(file="long.py")
    editor.keys("50000Go")
    editor.type("def add(")
    editor.see(TWO_LINES)
    start = time.monotonic()
    editor.type("a, b")
    assert editor.ghost() == TWO_LINES[4:]
    assert time.monotonic() - start < 2
    editor.keys("<Tab>")
    assert editor.lua("return vim.api.nvim_buf_get_lines(0, 49999, 50003, false)") == [
        "value_49999 = 49999",
        "def add(a, b):",
        "    return a + b",
        "value_50000 = 50000",
    ]
