"""On Neovim 0.7 the plugin shows that the version is too old and does nothing else."""

from conftest import FAKE
from editor import Editor


def test_neovim_0_7_gets_a_message_and_nothing_else(home, repo):
    editor = Editor("old", home, repo, f"{{ cmd = {{ 'python3', '{FAKE}' }} }}")
    try:
        message = "Ondol needs Neovim 0.10 or newer, but this is 0.7.2. Ondol was not started."
        assert editor.messages() == [message]
        editor.rpc.command("edit a.py")
        editor.keys("odef add(<Tab><Esc>")
        assert editor.lines() == ["# hello", "def add(    "]
        assert editor.messages() == [message]
        editor.rpc.command("Ondol status")
        assert editor.messages() == [message, message]
        assert editor.lua("return require('ondol').statusline()") == ""
        assert editor.lua("return require('ondol').accept()") is False
        editor.rpc.command("checkhealth ondol")
        assert "Neovim 0.7.2 is too old: Ondol needs 0.10 or newer" in "\n".join(editor.lines())
    finally:
        editor.close()
