"""The console script ``ondol``. It makes sure that only installed code is imported, and then runs the command line.

``PYTHONPATH`` and the working directory often name a repository, and a repository may have an ``indexer`` package, a
``click.py`` or a ``numpy.py`` of its own. Their entries come before the installed packages on Python's path. They are
taken out before anything is imported, and out of the environment of every process that Ondol starts. This module has a
name that no repository uses by accident, and imports only what the interpreter has loaded before it runs any script.

What Python itself runs before a script (``sitecustomize``) it cannot prevent; see docs/threat-model.md.
"""

import os
import sys

_INSTALLED = ("site-packages", "dist-packages")


def use_installed_code_only() -> None:
    """Take the entries of ``PYTHONPATH``, the working directory and empty entries out of Python's path.

    Entries that hold Ondol itself or installed packages stay.
    """
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    unwanted = {_real(entry) for entry in ("", *given) if not _holds_installed_code(_real(entry))}
    sys.path[:] = [entry for entry in sys.path if entry and _real(entry) not in unwanted]
    kept = [entry for entry in given if _real(entry) not in unwanted]
    os.environ.pop("PYTHONPATH", None)
    if kept:
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
    os.environ["PYTHONSAFEPATH"] = "1"


def _real(entry: str) -> str:
    try:
        return os.path.realpath(entry or os.getcwd())  # noqa: PTH109  pathlib may not be imported yet
    except OSError:
        return entry


def _holds_installed_code(folder: str) -> bool:
    """Whether a folder is the standard library's, one of installed packages, or the one that holds this module."""
    library = os.path.dirname(os.__file__)  # noqa: PTH120  as above
    own = os.path.dirname(os.path.realpath(__file__))  # noqa: PTH120  as above
    return folder == own or os.path.basename(folder) in _INSTALLED or (folder + os.sep).startswith(library + os.sep)  # noqa: PTH119  as above


def main() -> None:
    """Run the command line."""
    use_installed_code_only()
    from finetune.cli import main as run

    run(prog_name="ondol")


if __name__ == "__main__":
    main()
