"""The command ``ondol dashboard``: serves web pages with figures, to this user's browser only."""

import importlib.util
import threading
import webbrowser
from pathlib import Path

import click

from indexer.cli_options import PathName, data_dir_option, root_of, settings_for
from indexer.errors import UserError
from indexer.installation import install_command


@click.command(epilog="Example: ondol dashboard ~/product --port 8501")
@click.argument("repo", type=PathName(), default=Path())
@click.option("--port", type=click.IntRange(1024, 65535), default=8501, show_default=True, help="Port of the page.")
@click.option(
    "--eval",
    "evaluations",
    multiple=True,
    type=PathName(exists=True, dir_okay=False),
    help="Another report of `ondol eval --json` to show; repeatable.",
)
@click.option("--open", "browse", is_flag=True, help="Open a browser.")
@data_dir_option
def dashboard(repo: Path, port: int, evaluations: tuple[Path, ...], browse: bool, data_dir: Path | None) -> None:
    """Serve web pages: use, search, a playground, the index, nightly runs and adapters.

    An adapter can be promoted or rolled back there, after a question. Only a browser on this machine that was given the
    printed address can read them. They load nothing from elsewhere.
    """

    root = root_of(repo)
    settings = settings_for(root, data_dir)
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
        raise UserError("the dashboard's packages are not installed", f"run: {install_command('dashboard')}")
    from finetune.dashboard.code_pages import CodePages
    from finetune.dashboard.figures import Figures
    from finetune.dashboard.server import LOOPBACK, Dashboard, serve

    _require_free(LOOPBACK, port)
    figures = Figures(root, settings, tuple(path.absolute() for path in evaluations))
    code = CodePages(root, settings)
    shown = Dashboard(figures, code, port)
    click.echo(shown.address)
    if browse:
        webbrowser.open(shown.address)

    def prepare() -> None:
        figures.prepare()  # the first page needs the events
        code.prepare()

    threading.Thread(target=prepare, name="prepare", daemon=True).start()
    try:
        serve(shown, port)
    finally:
        code.close()


def _require_free(host: str, port: int) -> None:
    """Say that a port is taken before the address is printed.

    :raises UserError: another program listens there.
    """
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"port {port} is taken", "choose another one with --port") from error
