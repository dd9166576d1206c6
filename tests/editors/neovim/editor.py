"""Control a real Neovim: `Editor` over its RPC channel (text, marks, messages), `Terminal` in tmux (the screen)."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pynvim

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
PLUGIN = CHECKOUT / "editors" / "neovim"
CACHE = Path(os.environ.get("ONDOL_EDITOR_CACHE") or Path.home() / ".cache" / "ondol-editors") / "neovim"
EDITORS = {
    "0.12": os.environ.get("ONDOL_NVIM_12") or str(CACHE / "nvim-0.12" / "nvim"),
    "0.10": os.environ.get("ONDOL_NVIM_10") or str(CACHE / "nvim-0.10" / "nvim"),
    "old": os.environ.get("ONDOL_NVIM_OLD") or str(CACHE / "nvim-0.7" / "nvim"),
}
TIMEOUT = float(os.environ.get("ONDOL_EDITOR_PATIENCE", "60"))

T = TypeVar("T")

INIT = """
vim.opt.runtimepath:prepend([[{plugin}]])
vim.o.swapfile, vim.o.undofile, vim.o.shada = false, false, ''
vim.o.termguicolors = false
vim.o.expandtab, vim.o.shiftwidth, vim.o.softtabstop, vim.o.tabstop = true, 4, 4, 8
vim.cmd('filetype on | filetype plugin indent {indent}')
vim.o.autoindent = '{indent}' == 'on'
{before}
require('ondol').setup({setup})
"""


CAPTURE = """
messages = {}
local notify = vim.notify
vim.notify = function(text, ...) messages[#messages + 1] = text return notify(text, ...) end
"""


def wait(check: Callable[[], T], what: str, state: Callable[[], Any] = lambda: "", timeout: float = TIMEOUT) -> T:
    """Poll until the result of `check` is true, and return the result.

    :raises AssertionError: after `timeout` seconds, with the text of `state`
    """
    end = time.monotonic() + timeout
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:.0f} s for {what}\n{state()}")
        time.sleep(0.03)


def environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Environment variables without the user's editor configuration and without traces of earlier tests."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "NVIM", "VIM", "ONDOL_", "TMUX", "FAKE_"))
    }
    folders = {f"XDG_{name}_HOME": str(home / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    (home / "run").mkdir(parents=True, exist_ok=True, mode=0o700)
    share_cache(home / "cache")
    return {
        **kept,
        "HOME": str(home),
        **folders,
        "XDG_RUNTIME_DIR": str(home / "run"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ONDOL_DATA_DIR": str(home / "ondol"),
        **(extra or {}),
    }


def share_cache(folder: Path) -> None:
    """Lead Ondol's cache in a folder of caches to the user's: it holds compiled rules, which take 6 s to compile."""
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "ondol")
    with contextlib.suppress(OSError):
        users.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ondol").symlink_to(users)


def discard(folder: Path) -> None:
    """Delete a folder, repeatedly, because ending processes may still write to it."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


def write_init(home: Path, setup: str, before: str = "", indent: str = "on") -> Path:
    """Write an init.lua with these options of setup{}."""
    path = home / "init.lua"
    path.write_text(INIT.format(plugin=PLUGIN, setup=setup, before=before, indent=indent), encoding="utf-8")
    return path


def make_repository(path: Path, files: dict[str, str]) -> Path:
    """Create a git repository with these files in one commit."""
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text.encode())
    git = ["git", "-C", str(path), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "start"], check=True)
    return path


def events(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the events that the fake server logged, optionally of one kind."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.endswith("}")]
    return [event for event in found if kind is None or event["event"] == kind]


class Plugin:
    """A running plugin, controlled over the editor's RPC channel."""

    rpc: Any

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua and return its value."""
        return self.rpc.exec_lua(code, *arguments)

    def open(self, path: Path) -> None:
        """Edit a file and wait until it is attached to the server."""
        self.rpc.command("edit " + str(path).replace(" ", "\\ "))
        self.attached()

    def attached(self) -> None:
        """Wait until suggestions are possible in the current buffer, with Neovim's own module if it is used."""
        ready = """
            local buffer = vim.api.nvim_get_current_buf()
            local display = require('ondol.session').display_of(buffer)
            return display == 'own'
              or display == 'builtin' and vim.fn.exists('#nvim.lsp.inline_completion:' .. buffer) == 1
        """
        wait(lambda: self.lua(ready), "the file to be attached", lambda: "\n".join(self.log()))

    def lines(self) -> list[str]:
        """Return the lines of the current buffer."""
        return list(self.rpc.current.buffer[:])

    def cursor(self) -> tuple[int, int]:
        """Return the cursor: line from 1, byte from 0."""
        return tuple(self.rpc.current.window.cursor)

    def log(self) -> list[str]:
        """Return the lines of the plugin's log."""
        return self.lua("return package.loaded['ondol.log'] and require('ondol.log').lines() or {}")


class Editor(Plugin):
    """Neovim without a terminal, driven over its RPC channel."""

    def __init__(
        self,
        version: str,
        home: Path,
        folder: Path,
        setup: str,
        *,
        before: str = "",
        indent: str = "off",
        env: dict[str, str] | None = None,
    ) -> None:
        init = write_init(home, setup, CAPTURE + before, indent)
        program = [
            "env",
            "-i",
            "-C",
            str(folder),
            *(f"{name}={value}" for name, value in environment(home, env).items()),
        ]
        self.rpc = pynvim.attach(
            "child", argv=[*program, EDITORS[version], "--embed", "--headless", "-n", "-i", "NONE", "-u", str(init)]
        )
        self.version = version

    def close(self) -> None:
        """Quit without saving."""
        with contextlib.suppress(Exception):
            self.rpc.command("qa!", async_=True)
        with contextlib.suppress(Exception):
            self.rpc.close()

    def keys(self, keys: str) -> None:
        """Press keys, in Vim's notation, and wait until they are processed."""
        self.rpc.input(keys)
        self.lua("return 1")

    def type(self, text: str) -> None:
        """Type a text, key by key."""
        for character in text:
            self.keys({"<": "<lt>", "\n": "<CR>", "\t": "<Tab>"}.get(character, character))

    def ghost(self) -> str:
        """Return the ghost text, its lines joined by line ends, or an empty text. The kept rest of a line is in ‹›."""
        return self.lua("""
            local out = {}
            for name, space in pairs(vim.api.nvim_get_namespaces()) do
              if name == 'ondol' or name == 'nvim.lsp.inline_completion' then
                for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
                  local lines = { mark[4].virt_text or {} }
                  vim.list_extend(lines, mark[4].virt_lines or {})
                  for index, chunks in ipairs(lines) do
                    lines[index] = table.concat(vim.tbl_map(function(chunk)
                      return chunk[2] == 'Normal' and ('‹' .. chunk[1] .. '›') or chunk[1]
                    end, chunks))
                  end
                  out[#out + 1] = table.concat(lines, '\\n')
                end
              end
            end
            return table.concat(out, '\\n--- and ---\\n')
        """)

    def messages(self) -> list[str]:
        """Return the messages to the user."""
        return self.lua("return messages")

    def message_like(self, pattern: str) -> str:
        """Wait for a message that matches a regular expression, and return it."""
        return wait(
            lambda: next((message for message in self.messages() if re.search(pattern, message)), ""),
            f"the message {pattern!r}",
            lambda: f"{self.messages()}\n" + "\n".join(self.log()),
        )

    def see(self, text: str) -> None:
        """Wait for this ghost text."""
        wait(
            lambda: self.ghost() == text,
            f"the ghost text {text!r}",
            lambda: f"shown: {self.ghost()!r}\n{self.lines()}\n" + "\n".join(self.log()),
        )

    def see_nothing(self) -> None:
        """Wait until there is no ghost text."""
        wait(lambda: self.ghost() == "", "no ghost text", lambda: f"shown: {self.ghost()!r}")


class Screen:
    """A program in a terminal whose screen can be read."""

    def __init__(
        self,
        program: list[str],
        home: Path,
        folder: Path,
        env: dict[str, str] | None = None,
        size: tuple[int, int] = (100, 30),
    ) -> None:
        self.name = "ondol-" + uuid.uuid4().hex[:8]
        self.tmux = shutil.which("tmux") or str(CACHE / "tmux" / "root" / "usr" / "bin" / "tmux")
        self.environment = environment(home, env)
        self.base = [self.tmux, "-u", "-S", str(home / "run" / "tmux"), "-f", "/dev/null"]
        options = ["-x", str(size[0]), "-y", str(size[1]), "-c", str(folder)]
        self.tmux_command("new-session", "-d", "-s", self.name, *options, *program)

    def tmux_command(self, *words: str) -> str:
        """Run a tmux command and return its output."""
        done = subprocess.run(
            [*self.base, *words], check=True, capture_output=True, encoding="utf-8", env=self.environment
        )
        return done.stdout

    def close(self) -> None:
        """End tmux and the program."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.tmux_command("kill-server")

    def keys(self, *keys: str) -> None:
        """Press keys, in tmux's notation."""
        self.tmux_command("send-keys", "-t", self.name, *keys)

    def type(self, text: str) -> None:
        """Type a text, key by key."""
        for character in text:
            # tmux treats a single semicolon as the end of its command
            self.tmux_command("send-keys", "-t", self.name, "-l", "\\;" if character == ";" else character)

    def screen(self, colours: bool = False) -> str:
        """Return the text on the screen."""
        return self.tmux_command("capture-pane", "-p", "-t", self.name, *(["-e", "-N"] if colours else []))

    def details(self) -> str:
        """Return the details for the message of a failed test."""
        return self.screen()

    def see(self, pattern: str, what: str = "", timeout: float = TIMEOUT) -> str:
        """Wait until the screen matches a regular expression (multi-line), and return the screen."""
        return wait(
            lambda: (screen := self.screen()) and re.search(pattern, screen, re.M) and screen,
            what or repr(pattern),
            self.details,
            timeout,
        )

    def see_not(self, pattern: str) -> None:
        """Wait until the screen no longer matches."""
        wait(lambda: not re.search(pattern, self.screen(), re.M), f"the end of {pattern!r}", self.screen)


class Terminal(Screen, Plugin):
    """Neovim in a terminal whose screen can be read."""

    def __init__(
        self,
        version: str,
        home: Path,
        folder: Path,
        setup: str,
        *,
        files: list[str],
        before: str = "",
        size: tuple[int, int] = (100, 30),
    ) -> None:
        init = write_init(home, setup, before)
        (home / "run").mkdir(exist_ok=True, mode=0o700)
        channel = home / "run" / "nvim"
        program = [EDITORS[version], "--listen", str(channel), "-n", "-i", "NONE", "-u", str(init), *files]
        super().__init__(program, home, folder, size=size)
        wait(channel.exists, "the editor", self.screen)
        self.rpc = pynvim.attach("socket", path=str(channel))

    def close(self) -> None:
        """End tmux and the editor."""
        with contextlib.suppress(Exception):
            self.rpc.close()
        super().close()

    def ready(self, file: str) -> None:
        """Wait until the repository of a file is indexed. The server indexes at the lowest priority."""
        self.see(rf"{file} \[Ondol\]", f"the index for {file} to be ready", 5 * TIMEOUT)

    def details(self) -> str:
        """Return the screen, the plugin's log, the server's explanation and the messages to the user."""
        explain = """
            local client = vim.lsp.get_clients({ name = 'ondol', bufnr = 0 })[1]
            local params = { command = 'ondol.explain' }
            local answer = client and vim.lsp.buf_request_sync(0, 'workspace/executeCommand', params, 5000)
            return answer and answer[client.id] and answer[client.id].result or 'no server'
        """
        with contextlib.suppress(Exception):
            messages = self.lua("return vim.api.nvim_exec2('messages', { output = true }).output")
            return "\n".join([self.screen(), *self.log(), str(self.lua(explain)), "messages:", messages])
        return self.screen()
