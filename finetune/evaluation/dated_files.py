"""Files of a folder that are named by the time at which they were written, in the order in which they were written.

Two may be written in one second, and clocks are set back: a name that would not come last gets a number behind the
newest one.
"""

from pathlib import Path


def in_order(folder: Path) -> list[Path]:
    """Return the reports (JSON) of a folder, the oldest first."""
    return sorted(folder.glob("*.json"), key=lambda path: _place(path.stem))


def next_name(folder: Path, moment: str) -> str:
    """Return the name of the next file, without its ending; it comes after all that are there.

    :param moment: the time, in a form that sorts.
    """
    there = in_order(folder)
    last, number = _place(there[-1].stem) if there else ("", 0)
    return moment if moment > last else f"{last}_{number + 1}"


def _place(name: str) -> tuple[str, int]:
    moment, _, number = name.partition("_")
    return moment, int(number) if number.isdecimal() else 1
