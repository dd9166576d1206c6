"""What the benchmarks share: the local clones of public repositories, their evaluation, tables in pages.

Nothing is downloaded.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

END: Final = "<!-- end of table -->"


def find(clones: Path, name: str) -> Path | None:
    """Return the clone of OWNER/NAME below a folder, or None."""
    joined = name.replace("/", "+")
    for place in (f"{joined}/repo", joined, name, name.rpartition("/")[2]):
        if (clones / place).is_dir():
            return clones / place
    return None


def copy_at(clone: Path, commit: str, target: Path) -> Path:
    """Make a bare copy of a clone whose history ends with a commit, and return it; it shares the clone's objects."""
    subprocess.run(["git", "clone", "-q", "--bare", "--shared", clone, target], check=True)
    subprocess.run(["git", "-C", target, "update-ref", "refs/heads/replayed", commit], check=True)
    subprocess.run(["git", "-C", target, "symbolic-ref", "HEAD", "refs/heads/replayed"], check=True)
    return target


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with these settings of Ondol and no others, so that defaults are measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONDOL_")} | dict(settings or {})


def evaluated(
    ondol: Path,
    repository: Mapping[str, str],
    clone: Path,
    options: Mapping[str, object],
    settings: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Return the report of ``ondol eval`` on the history of a repository up to the commit that is named for it.

    :param repository: its ``name`` and ``commit``.
    :param options: of the command, by name; True for a flag, a tuple for an option that is given several times.
    :param settings: ``ONDOL_*`` variables.
    :param seconds: after which the command is interrupted; it reports what it has by then, as ``partial``.
    :raises SystemExit: the command failed.
    """
    with tempfile.TemporaryDirectory(prefix="replay-") as work:
        copy = copy_at(clone, repository["commit"], Path(work) / repository["name"].replace("/", "-"))
        given = [part for name, value in options.items() for part in _option(name, value)]
        command = [ondol, "eval", copy, "--json", "--data-dir", f"{work}/data", *given]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment(settings)) as process:
            try:
                printed, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
                printed, _ = process.communicate()
    report: dict[str, Any] = json.loads(printed) if printed.strip() else {}
    if not report or (process.returncode and not report["partial"]):
        raise SystemExit(f"ondol eval failed on {repository['name']}")
    return report


def _option(name: str, value: object) -> list[str]:
    if value is True:
        return [f"--{name}"]
    return [part for one in (value if isinstance(value, tuple) else (value,)) for part in (f"--{name}", str(one))]


def put_into(page: Path, text: str, begin: str) -> None:
    """Write a table into a page, between the mark ``begin`` and the next :data:`END`."""
    before, _, rest = page.read_text("utf-8").partition(begin)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{begin}\n\n{text}\n\n{END}{after}", "utf-8")
