"""Create a picture of Neovim with a suggestion of the real server. Start it with run.sh --screenshot OUT.png.

Pillow draws the screen of tmux, with its colours, in a monospaced font of this machine.
"""

import re
import sys
import tempfile
import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from editor import Terminal, discard, make_repository
from test_server import ONDOL, STATUS_LINE, files

FONTS = ("DejaVuSansMono", "LiberationMono-Regular", "NotoSansMono-Regular")
SIZE, PAD = 26, 28
WIDTH, HEIGHT = 84, 17
LOOK = """
vim.o.termguicolors, vim.o.number, vim.o.signcolumn, vim.o.ruler, vim.o.showmode = true, true, 'yes', false, true
vim.o.fillchars = 'eob: '
vim.api.nvim_set_hl(0, 'ComplHint', { fg = '#7d8290' }) -- the default is faint in a picture that is made smaller
"""
EXAMPLE = '''"""Reading of the stock list."""
import json
import logging

logger = logging.getLogger(__name__)


def load_stock(path, limit, host, key, owner):
    """Load the stock list of a file."""
'''


def font() -> ImageFont.FreeTypeFont:
    """Load a monospaced font."""
    for name in FONTS:
        for path in Path("/usr/share/fonts").rglob(name + ".ttf"):
            return ImageFont.truetype(str(path), SIZE)
    raise SystemExit(
        f"screenshot: none of {', '.join(FONTS)} is installed\n  install one with: apt-get install fonts-dejavu-core"
    )


def colour(codes: list[int], at: int) -> tuple[str | None, int]:
    """Return the colour that begins at an index of a list of codes, and the number of further codes that it uses."""
    if codes[at + 1] == 2:
        return "#{:02x}{:02x}{:02x}".format(*codes[at + 2 : at + 5]), 4
    number = codes[at + 2]
    if number >= 232:
        return "#" + f"{8 + 10 * (number - 232):02x}" * 3, 2
    if number >= 16:
        steps = (0, 95, 135, 175, 215, 255)
        return "#{:02x}{:02x}{:02x}".format(*(steps[(number - 16) // power % 6] for power in (36, 6, 1))), 2
    return None, 2


def draw(screen: str, cursor: tuple[int, int], out: Path) -> None:
    """Draw a screen with its colour codes and the cursor."""
    face = font()
    cell = face.getlength("M")
    height = int(SIZE * 1.32)
    plain, ground = "#e0e2ea", "#14161b"
    rows = screen.rstrip("\n").split("\n")[:HEIGHT]
    image = Image.new("RGB", (int(cell * WIDTH) + 2 * PAD, height * HEIGHT + 2 * PAD), ground)
    pen = ImageDraw.Draw(image)
    for y, row in enumerate(rows):
        front, back, x = plain, ground, 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", row):
            if part.startswith("\x1b["):
                codes = [int(code or 0) for code in part[2:-1].split(";")]
                at = 0
                while at < len(codes):
                    code = codes[at]
                    if code == 0:
                        front, back = plain, ground
                    elif code in (38, 48):
                        value, taken = colour(codes, at)
                        front, back = (value or plain, back) if code == 38 else (front, value or ground)
                        at += taken
                    elif code == 39:
                        front = plain
                    elif code == 49:
                        back = ground
                    elif code == 7:
                        front, back = back, front
                    at += 1
                continue
            for character in part:
                wide = 2 if unicodedata.east_asian_width(character) in "WF" else 1
                left, top = PAD + x * cell, PAD + y * height
                if back != ground:
                    pen.rectangle((left, top, left + wide * cell, top + height), fill=back)
                pen.text((left, top + 2), character, font=face, fill=front)
                x += wide
    left, top = PAD + cursor[0] * cell, PAD + cursor[1] * height
    pen.rectangle((left - 1, top, left + 1, top + height - 2), fill=plain)
    out.parent.mkdir(parents=True, exist_ok=True)
    image.save(out, optimize=True)


def main() -> None:
    """Open the example file, wait for the suggestion, and draw the screen."""
    out, version = Path(sys.argv[1]), (sys.argv[2:] or ["0.12"])[0]
    home = Path(tempfile.mkdtemp(prefix="on-"))
    repo = make_repository(home / "repo", files() | {"shop/stock.py": EXAMPLE})
    options = "keys = { accept = '<Tab>' }, settings = { max_lines = 4 }"
    setup = f"{{ cmd = {{ '{ONDOL}', 'serve', '--stdio' }}, {options} }}"
    terminal = Terminal(
        version, home, repo, setup, files=["shop/stock.py"], before=LOOK + STATUS_LINE, size=(WIDTH, HEIGHT)
    )
    try:
        terminal.ready("stock.py")
        terminal.rpc.command("call append('$', '') | normal! G")
        terminal.keys("i")
        terminal.type("    with open(path")
        terminal.see("does not hold a list of records")
        column, row = terminal.tmux_command(
            "display-message", "-p", "-t", terminal.name, "#{cursor_x} #{cursor_y}"
        ).split()
        draw(terminal.screen(colours=True), (int(column), int(row)), out)
    finally:
        terminal.close()
        discard(home)


if __name__ == "__main__":
    main()
