"""The next edit in a real Neovim with a server that has known answers: shown, reached, applied, refused."""

from pathlib import Path

import pytest

from editor import events, wait

KEYS = "keys = { accept = '<Tab>', next_edit = '<Tab>', edit_dismiss = '<C-q>' }"
CODE = "new = 1\nfirst(old_name, 1)\nplain = 2\nsecond(old_name)\n"


@pytest.fixture
def page(edit, repo):
    """Start an editor on a file with repeated lines; page(text="...", setup="...")."""

    def start(text: str = CODE, setup: str = KEYS, **more):
        (repo / "b.py").write_bytes(text.encode())
        return edit(setup, file="b.py", **more)

    return start


def drawn(editor) -> list[list]:
    """Return what is drawn: for each mark its line, kind and text. A removed text is that of the buffer."""
    return editor.lua("""
        local out = {}
        for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
          local space = vim.api.nvim_create_namespace('ondol_edit')
          for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(buffer, space, 0, -1, { details = true })) do
            local row, column, details = mark[2], mark[3], mark[4]
            if details.end_col then
              out[#out + 1] = { row, 'old', vim.api.nvim_buf_get_text(buffer, row, column, row, details.end_col, {})[1] }
            end
            for _, chunk in ipairs(details.virt_text or {}) do
              local kind = ({ OndolEditNew = 'new', OndolEditHint = 'hint', OndolEditOld = 'old' })[chunk[2]]
              if kind then out[#out + 1] = { row, kind, chunk[1] } end
            end
            for _, line in ipairs(details.virt_lines or {}) do out[#out + 1] = { row, 'line', line[1][1] } end
          end
        end
        return out
    """)


def see(editor, *expected: tuple) -> None:
    """Wait until exactly this is drawn."""
    wait(
        lambda: sorted(map(tuple, drawn(editor))) == sorted(expected),
        f"the edit {expected}",
        lambda: f"drawn: {drawn(editor)}\n{editor.lines()}\n" + "\n".join(editor.log()),
    )


def commands(log, name: str) -> list:
    """Return the arguments of the server's commands of this name."""
    return [event["arguments"] for event in events(log, "command") if event["command"] == name]


def shown(log) -> list[str]:
    """Return the identifiers of the edits that the editor reported as shown; it reports after it has drawn them."""
    return [event["id"] for event in events(log, "showedit")]


def change(editor) -> None:
    """Make the edit that can be repeated: the first line becomes `new_name = 1`."""
    editor.keys("ggcenew_name<Esc>")


def test_tab_goes_there_and_tab_applies_it(page, log):
    editor = page()
    change(editor)
    see(
        editor,
        (0, "hint", "Tab: next edit, line 2"),
        (1, "old", "old_name"),
        (1, "new", "new_name"),
    )
    assert editor.lines()[1] == "first(old_name, 1)", "nothing is applied without being asked"
    editor.keys("<Tab>")
    see(editor, (1, "hint", "Tab: accept"), (1, "old", "old_name"), (1, "new", "new_name"))
    assert editor.cursor() == (2, 6)
    editor.keys("<Tab>")
    assert editor.lines()[1] == "first(new_name, 1)"
    assert editor.cursor() == (2, 14)
    see(editor, (1, "hint", "Tab: next edit, line 4"), (3, "old", "old_name"), (3, "new", "new_name"))
    wait(lambda: len(shown(log)) > 1, "the report of both edits", lambda: events(log))
    wait(lambda: commands(log, "fake.edit") == [[shown(log)[-2]]], "the accept command", lambda: events(log))
    editor.keys("<Tab><Tab>")
    assert editor.lines() == ["new_name = 1", "first(new_name, 1)", "plain = 2", "second(new_name)"]
    see(editor)
    editor.rpc.command("Ondol status")
    assert editor.lua("return require('ondol.next_edit').counts().accepted") == 2
    editor.keys("qu")  # q closes the window of the status
    assert editor.lines()[3] == "second(old_name)"
    assert editor.lines()[1] == "first(new_name, 1)"
    texts = editor.lua("""
        local done
        require('ondol.requests').call(vim.lsp.get_clients()[1], 'request', 'workspace/executeCommand',
          { command = 'fake.texts' }, function(_, result) done = result end, 0)
        vim.wait(5000, function() return done end)
        return done
    """)
    assert list(texts.values()) == ["new_name = 1\nfirst(new_name, 1)\nplain = 2\nsecond(old_name)\n"]


def test_in_insert_mode_one_undo_step(page):
    editor = page()
    editor.keys("ggcenew_name")
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("<Tab>")
    assert editor.cursor() == (2, 6)
    editor.keys("<Tab>")
    assert editor.lines()[:2] == ["new_name = 1", "first(new_name, 1)"]
    assert editor.lua("return vim.api.nvim_get_mode().mode") == "i"
    editor.keys("<Esc>u")
    assert editor.lines()[:2] == ["new_name = 1", "first(old_name, 1)"]
    editor.keys("u")
    assert editor.lines()[0] == "new = 1"


def test_refused(page, log):
    editor = page()
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    wait(lambda: shown(log), "the report of the edit", lambda: events(log))
    editor.keys("<C-q>")
    see(editor)
    wait(lambda: commands(log, "ondol.editDismissed") == [[shown(log)[-1]]], "the report", lambda: events(log))
    editor.keys("j")
    see(editor, (1, "hint", "Tab: next edit, line 4"), (3, "old", "old_name"), (3, "new", "new_name"))
    assert editor.lines()[1:] == CODE.split("\n")[1:4]


def test_a_completion_goes_first(page, log):
    editor = page("new = 1\nfirst(old_name, 1)\n")
    editor.keys("ggcenew_name<Esc>")
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("Go")
    editor.type("def add(")
    editor.see("a, b):\n    return a + b")
    wait(lambda: len(events(log, "askedit")) > 1, "a further request")
    editor.lua("vim.wait(500)")
    assert drawn(editor) == []
    editor.keys("<Tab>")
    assert editor.lines()[2:] == ["def add(a, b):", "    return a + b"]
    see(editor, (3, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("<Tab>")
    assert editor.cursor() == (2, 6)


def test_it_stays_while_a_suggestion_is_only_requested(page):
    editor = page("new = 1\nfirst(old_name, 1)\nx = late(\n")
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("jjA")
    pending = "return require('ondol.session').of(vim.api.nvim_get_current_buf()).pending"
    wait(lambda: editor.lua(pending), "a request for a suggestion")
    see(editor, (2, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    assert editor.lua(pending), "the suggestion came before the edit was looked at"
    editor.keys("<Tab>")
    assert editor.cursor() == (2, 6)
    editor.keys("<Tab>")
    assert editor.lines() == ["new_name = 1", "first(new_name, 1)", "x = late("]


def test_tab_still_indents(page):
    editor = page()
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("Go")
    see(editor, (4, "hint", "Tab: next edit, line 4"), (3, "old", "old_name"), (3, "new", "new_name"))
    editor.keys("<Tab>")
    assert editor.lines()[4] == "    "


def test_lines_that_come_and_go(page):
    editor = page("new = 1\n    split_me\nplain\nremove_me\nplain\ngrow_me\n")
    change(editor)
    see(
        editor,
        (0, "hint", "Tab: next edit, line 2"),
        (1, "old", "split_me"),
        (1, "new", "first = 1"),
        (1, "line", "    second = 2"),
    )
    editor.keys("<Tab><Tab>")
    assert editor.lines()[:4] == ["new_name = 1", "    first = 1", "    second = 2", "plain"]
    assert editor.cursor() == (3, 13)
    see(editor, (2, "hint", "Tab: next edit, line 5"), (4, "old", "remove_me"))
    editor.keys("<Tab><Tab>")
    assert editor.lines()[3:] == ["plain", "plain", "grow_me"]
    see(editor, (4, "hint", "Tab: next edit, line 7"), (5, "line", "# grown"))
    editor.keys("<Tab><Tab>")
    assert editor.lines()[3:] == ["plain", "plain", "grow_me", "# grown"]


def test_in_another_file(page, repo, log):
    other = repo / "lib" / "other.py"
    other.parent.mkdir()
    other.write_text("before = 1\nthird(old_name)\n")
    editor = page("new = 1\n", env={"FAKE_OTHER": str(other)})
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, other.py:2"))
    editor.keys("<Tab>")
    see(editor, (1, "hint", "Tab: accept"), (1, "old", "old_name"), (1, "new", "new_name"))
    assert editor.rpc.current.buffer.name == str(other)
    editor.keys("<Tab>")
    assert editor.lines() == ["before = 1", "third(new_name)"]
    assert other.read_text() == "before = 1\nthird(old_name)\n", "the file is not saved by itself"
    editor.keys("<C-o>")
    assert editor.rpc.current.buffer.name == str(repo / "b.py")


@pytest.mark.parametrize("fault", ["badedit", "oldedit"])
def test_an_answer_that_does_not_fit_is_dropped(page, log, fault):
    editor = page(fault=fault)
    change(editor)
    wait(lambda: events(log, "askedit"), "a request")
    reason = "outside the document" if fault == "badedit" else "another version"
    wait(lambda: any(reason in line for line in editor.log()), "the reason in the log", editor.log)
    assert drawn(editor) == []
    editor.keys("gg<Tab>")
    assert editor.messages() == []


def test_an_answer_for_an_older_text_is_dropped(page, log):
    editor = page(env={"FAKE_EDIT_DELAY": "0.4"})
    change(editor)
    wait(lambda: events(log, "askedit"), "a request")
    editor.keys("yyP")
    see(editor, (0, "hint", "Tab: next edit, line 3"), (2, "old", "old_name"), (2, "new", "new_name"))
    editor.keys("dd")
    assert drawn(editor) == []


def test_an_edit_disappears_when_the_text_changes(page):
    editor = page()
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, { 'x = 1' })")
    see(editor)
    editor.keys("<Tab>")
    assert editor.lines()[1] == "first(old_name, 1)"


def test_every_line_that_the_cursor_reaches_is_asked_for(page, log, repo):
    """The place of the next edit may be the cursor's line alone, in a document in which nothing was offered yet."""

    def asked():
        return [(Path(event["uri"]).name, event["line"]) for event in events(log, "askedit")]

    (repo / "c.py").write_text("one = 1\ntwo = 2\nthree = 3\n")
    editor = page("new = 1\nplain = 2\nplain = 3\n")
    editor.keys("jk")
    editor.lua("vim.wait(300)")
    assert asked() == []
    editor.keys("ggcenew_name<Esc>")
    wait(lambda: ("b.py", 0) in asked(), "the first request", asked)
    editor.keys("j")
    wait(lambda: ("b.py", 1) in asked(), "a request for the next line", asked)
    editor.lua("vim.cmd.edit(...)", str(repo / "c.py"))
    wait(lambda: ("c.py", 0) in asked(), "a request in the other file", asked)
    editor.keys("jj")
    wait(lambda: ("c.py", 2) in asked(), "a request for its last line", asked)


def test_off(page, log):
    editor = page(setup=KEYS + ", next_edits = false")
    change(editor)
    editor.keys("jjkk")
    editor.lua("vim.wait(600)")
    assert drawn(editor) == []
    assert events(log, "askedit") == []
    assert events(log, "initialize")[0]["options"]["nextEdits"] is False


def test_a_server_without_it_is_not_asked(page, log):
    editor = page(fault="early")
    change(editor)
    editor.keys("jjkk")
    editor.lua("vim.wait(600)")
    assert events(log, "askedit") == []


def test_plug_maps(page, log):
    before = """
        vim.keymap.set({ 'n', 'i' }, '<C-y>', '<Plug>(OndolNextEdit)')
        vim.keymap.set({ 'n', 'i' }, '<C-q>', '<Plug>(OndolEditDismiss)')
    """
    editor = page(setup="", before=before)
    editor.keys("<C-y>")
    editor.message_like("no edit to repeat")
    change(editor)
    see(editor, (0, "hint", "<C-Y>: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("<C-y><C-y>")
    assert editor.lines()[1] == "first(new_name, 1)"
    see(editor, (1, "hint", "<C-Y>: next edit, line 4"), (3, "old", "old_name"), (3, "new", "new_name"))
    editor.keys("<C-q>")
    see(editor)


def test_crlf_tabs_and_korean(page, repo):
    editor = page('new = 1\r\n\t이름("😀", old_name)\r\n')
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.keys("<Tab><Tab>")
    editor.rpc.command("write")
    assert (repo / "b.py").read_bytes() == 'new_name = 1\r\n\t이름("😀", new_name)\r\n'.encode()


def test_a_key_with_two_actions_keeps_its_earlier_function(page):
    editor = page(before="vim.keymap.set('i', '<Tab>', '<C-r>=\"earlier\"<CR>')")
    editor.keys("ggO<Tab>")
    assert editor.lines()[0] == "earlier"
    editor.keys("<Esc>")
    editor.lua("require('ondol').setup({ keys = {} })")
    assert editor.lua("return vim.fn.maparg('<Tab>', 'i')") == '<C-R>="earlier"<CR>'
    assert editor.lua("return vim.fn.maparg('<Tab>', 'n')") == ""


def test_repeat_everywhere(page, repo, log):
    other = repo / "other.py"
    other.write_text("before = 1\nthird(old_name)\nfourth(old_name)\n")
    editor = page(env={"FAKE_OTHER": str(other)})
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.rpc.command("Ondol repeat")
    wait(lambda: editor.lines()[0].startswith("Repeat: old_name to new_name. 1 of 4 places in 2 files"), "the list")
    assert editor.lines()[2:] == [
        "",
        "b.py",
        "[ ] line 2, 30 %",
        "    - first(old_name, 1)",
        "    + first(new_name, 1)",
        "[ ] line 4, 30 %",
        "    - second(old_name)",
        "    + second(new_name)",
        "",
        "other.py",
        "[ ] line 2, 30 %",
        "    - third(old_name)",
        "    + third(new_name)",
        "[x] line 3, 90 %",
        "    - fourth(old_name)",
        "    + fourth(new_name)",
    ]
    assert editor.cursor() == (5, 0)
    editor.keys("<Space>jV3j<Space>a5Gj<Space>")
    ticks = [line[:3] for line in editor.lines() if line.startswith("[")]
    assert ticks == ["[ ]", "[x]", "[x]", "[x]"]
    editor.keys("<CR>")
    editor.message_like("changed 3 places in 2 files")
    assert editor.lines() == ["new_name = 1", "first(old_name, 1)", "plain = 2", "second(new_name)"]
    text = "return vim.api.nvim_buf_get_lines(vim.fn.bufnr(...), 0, -1, false)"
    assert editor.lua(text, str(other)) == ["before = 1", "third(new_name)", "fourth(new_name)"]
    assert other.read_text() == "before = 1\nthird(old_name)\nfourth(old_name)\n"
    editor.rpc.command(f"buffer {other}")
    editor.keys("u")
    assert editor.lines() == ["before = 1", "third(old_name)", "fourth(old_name)"], "one undo step per file"
    uri = (repo / "b.py").as_uri()
    assert commands(log, "ondol.repeatEdit") == [[{"uri": uri, "position": {"line": 0, "character": 7}}]]


def test_repeat_leaves_out_what_changed_meanwhile(page):
    editor = page()
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name"))
    editor.rpc.command("Ondol repeat")
    wait(lambda: editor.lines()[0].startswith("Repeat"), "the list")
    editor.keys("a")
    editor.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr('b.py'), 1, 2, false, { 'other()' })")
    editor.keys("<CR>")
    editor.message_like("changed 1 place in 1 file.*1 place")
    assert editor.lines() == ["new_name = 1", "other()", "plain = 2", "second(new_name)"]


def test_the_list_says_where_new_lines_would_come(page):
    editor = page("new = 1\n\nif plain:\n    grow_me\n")
    change(editor)
    see(editor, (0, "hint", "Tab: next edit, line 5"), (3, "line", "# grown"))
    editor.rpc.command("Ondol repeat")
    wait(lambda: editor.lines()[0].startswith("Repeat"), "the list")
    assert editor.lines()[3:] == ["b.py", "[ ] line 5, 30 %", "          grow_me", "    + # grown"]
    editor.keys("a")
    editor.lua("vim.api.nvim_buf_set_lines(vim.fn.bufnr('b.py'), 1, 2, false, {})")
    editor.keys("<CR>")
    editor.message_like("changed 0 places in 0 files.*1 place")
    assert editor.lines() == ["new_name = 1", "if plain:", "    grow_me"]


def test_a_page_that_is_no_file_gets_no_hint(page):
    editor = page()
    change(editor)
    drawing = [(0, "hint", "Tab: next edit, line 2"), (1, "old", "old_name"), (1, "new", "new_name")]
    see(editor, *drawing)
    editor.rpc.command("new | setlocal buftype=nofile")
    editor.rpc.command("doautocmd CursorMoved")
    see(editor)
    editor.rpc.command("close")
    see(editor, *drawing)


def test_nothing_to_repeat(page):
    editor = page()
    editor.rpc.command("Ondol repeat")
    editor.message_like("no edit that can be repeated")


def test_repeat_with_a_server_without_it(page):
    editor = page(fault="early")
    editor.rpc.command("Ondol repeat")
    editor.message_like("too old")
