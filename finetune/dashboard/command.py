"""The command ``ondol dashboard``: serves a web page with figures, on this machine only.

It starts Streamlit on a loopback address, with Streamlit's telemetry off. The page itself is ``page.py``.
"""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from indexer.cli_options import data_dir_option, settings_for
from indexer.errors import UserError
from indexer.installation import install_command

LOOPBACK = "127.0.0.1"


@click.command(epilog="Example: ondol dashboard ~/product --port 8501")
@click.argument("repo", type=click.Path(path_type=Path), default=Path())
@click.option("--port", type=click.IntRange(1024, 65535), default=8501, show_default=True, help="Port of the page.")
@click.option(
    "--eval",
    "evaluations",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Report of `ondol eval --json` to show as well; repeatable.",
)
@click.option("--open", "browse", is_flag=True, help="Open a browser.")
@data_dir_option
def dashboard(repo: Path, port: int, evaluations: tuple[Path, ...], browse: bool, data_dir: Path | None) -> None:
    """Serve a web page with figures of nightly runs, adapters and suggestions.

    Only this machine can reach the page, and the page sends nothing anywhere.
    """
    from indexer.data_layout import repository_directory
    from indexer.repository import git

    root = git.find_root(repo)
    settings = settings_for(root, data_dir)
    if importlib.util.find_spec("streamlit") is None:
        raise UserError("streamlit is not installed", f"run: {install_command('dashboard')}")
    from streamlit.web import bootstrap

    page = Path(__file__).parent / "page.py"
    arguments = [str(root), str(settings.data_dir), *(str(path.absolute()) for path in evaluations)]
    os.chdir(
        repository_directory(settings, root)
    )  # Streamlit reads settings from the current folder, which must not be the repository's
    chosen = options(port, browse=browse)
    bootstrap.load_config_options(flag_options=dict(chosen))
    click.echo(f"http://{LOOPBACK}:{port}")
    bootstrap.run(str(page), False, arguments, dict(chosen))


def options(port: int, *, browse: bool) -> Mapping[str, Any]:
    """Return options that override Streamlit's own files: loopback, no telemetry, no watched files."""
    return {
        "server_address": LOOPBACK,
        "server_port": port,
        "server_headless": not browse,
        "server_fileWatcherType": "none",
        "browser_serverAddress": LOOPBACK,
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "global_developmentMode": False,
    }
