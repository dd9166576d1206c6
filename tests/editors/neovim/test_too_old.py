"""Neovim 0.7: it says that it is too old, and is otherwise left alone."""

from conftest import FAKE
from editor import Editor


def test_too_old(home, repo):
    editor = Editor("old", home, repo, f"{{ cmd = {{ 'python3', '{FAKE}' }} }}")
    try:
        told = "Ondol needs Neovim 0.10 or newer; this is 0.7.2. Nothing was started."
        assert editor.messages() == [told]
        editor.rpc.command("edit a.py")
        editor.keys("odef add(<Tab><Esc>")
        assert editor.lines() == ["# hello", "def add(    "]
        assert editor.messages() == [told]
        editor.rpc.command("Ondol status")
        assert editor.messages() == [told, told]
        assert editor.lua("return require('ondol').statusline()") == ""
        assert editor.lua("return require('ondol').accept()") is False
        editor.rpc.command("checkhealth ondol")
        assert "Neovim 0.7.2 is too old: Ondol needs 0.10 or newer" in "\n".join(editor.lines())
    finally:
        editor.close()
