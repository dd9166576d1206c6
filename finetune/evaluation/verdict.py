"""Says in three sentences what a replay found: what would have been saved, how sure that is, and what to do.

It reads the report that ``report.document`` makes and computes no figure of its own. The advice follows rules on
intervals: it says that nothing is known as long as the data do not decide it.
"""

from typing import Any, Final

from indexer.text.printable import printable

FEW: Final = 5
"""So few shown texts decide nothing, whatever their share."""

WIDE: Final = 0.3
"""An interval of the saved share that is wider than this decides nothing."""

LITTLE: Final = 20
"""Fewer cursors, typed hunks or changed lines tell nothing: their interval may be narrow because they are alike."""

TOLD: Final = 20
"""Texts shown in a language before it can be switched off by advice."""

NOTHING: Final = 0.02
"""A saved share whose whole interval lies below this is none."""

WRONG: Final = 0.5
"""A language in which clearly fewer than half of the shown texts are right disturbs more than it helps."""


def verdict(report: dict[str, Any]) -> list[str]:
    """Return the three sentences about the first system of a report."""
    kind, figures, count = _first(report)
    if kind == "typing":
        estimate, first, basis = figures["saved"], _typed(report, figures), _counted(count, "typed hunk")
    elif kind == "cursors":
        estimate, first = figures["saved"], _cursors(report, figures)
        basis = f"{_counted(count, 'cursor')} in {_counted(report['files'], 'file')}"
    else:
        estimate, first = figures["here_right"], _edits(figures)
        basis = f"{_counted(count, 'changed line')} of {_counted(figures['commits'], 'commit')}"
    return [first, _sure(estimate, basis, little=count < LITTLE, stopped=bool(report.get("partial"))), advice(report)]


def others(report: dict[str, Any]) -> list[str]:
    """Return a sentence about each further kind of figures in a report: single cursors, next edits."""
    first, found = _first(report)[0], []
    if "systems" in report and first != "cursors":
        found.append(_cursors(report, next(iter(report["systems"].values()))["overall"]))
    if "edits" in report and first != "edits":
        found.append(_edits(next(iter(report["edits"].values()))["overall"]))
    return found


def advice(report: dict[str, Any]) -> str:
    """Return what to do: leave it on, switch it off, for some languages or altogether, fit the gate, or measure more.

    The first rule that holds decides.
    """
    kind, figures, count = _first(report)
    if kind == "edits":
        return _advice_on_edits(figures["here_right"])
    typed = next(iter(report["typing"]["systems"].values())) if "typing" in report else None
    cursors = next(iter(report["systems"].values())) if "systems" in report else None
    saved = figures["saved"]
    texts = figures["texts"] if kind == "typing" else figures["precision"]["count"]
    if saved["value"] is None or saved["high"] - saved["low"] > WIDE or 0 < texts < FEW or count < LITTLE:
        more = f"--commits {4 * report['asked']['commits']}"
        return f"This is too little to decide by: replay more, for example with `{more}`."
    if saved["high"] < NOTHING:
        return "It saves nothing here: leave it off, or ask for texts by key only (`precision = 1.0`)."
    off = _useless_languages(typed, cursors)
    if off:
        listed = ", ".join(f'"{name}"' for name in off)
        return f"Leave it on, and switch it off for {' and '.join(off)}: `disabled_languages = [{listed}]`."
    right = cursors["overall"]["precision"] if cursors else None
    precision = report["settings"]["precision"]
    if right is not None and right["value"] is not None and right["high"] < precision:
        return (
            f"Leave it on and fit the gate to this repository (`ondol eval --fit-gate`): {right['value']:.0%} of the "
            f"shown texts were right, and the setting `precision` asks for {precision:.0%}."
        )
    return "Leave it on: no language and no figure here speaks against it."


def _typed(report: dict[str, Any], figures: dict[str, Any]) -> str:
    return (
        f"Ondol would have saved {_share(figures['saved'])} of the keys in {_period(report)}: "
        f"{figures['texts']:,} texts were shown while {figures['characters']:,} characters were typed; "
        f"{_share(figures['accepted'])} of the texts were accepted and {_share(figures['past'])} typed past."
    )


def _cursors(report: dict[str, Any], figures: dict[str, Any]) -> str:
    shown = figures["coverage"]
    told = f"it would have shown a text at {_share(shown)} of the places"
    if shown["value"]:
        told += f", and {_share(figures['precision'])} of these texts were right"
    return f"Ondol would have saved {_share(figures['saved'])} of the characters in {_period(report)}: {told}."


def _edits(figures: dict[str, Any]) -> str:
    return (
        f"With the cursor on the next changed line, Ondol would have made {_share(figures['here_reached'])} of the "
        f"changes; {_share(figures['here_right'])} of the edits that it offered there were right."
    )


def _first(report: dict[str, Any]) -> tuple[str, dict[str, Any], int]:
    """Return the kind of a report's first figures, those of its first system, and how many cases they come from."""
    if "typing" in report:
        figures = next(iter(report["typing"]["systems"].values()))["overall"]
        return "typing", figures, figures["hunks"]
    if "systems" in report:
        return "cursors", next(iter(report["systems"].values()))["overall"], report["cases"]
    figures = next(iter(report["edits"].values()))["overall"]
    return "edits", figures, figures["edits"]


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _sure(estimate: dict[str, Any], basis: str, *, little: bool, stopped: bool) -> str:
    measured = f"after {basis}, where the replay was stopped" if stopped else f"from {basis}"
    if estimate["value"] is None:
        return f"How sure: nothing can be said {measured}."
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    width = high - low
    value = max(0.0, 100 * estimate["value"])
    # An interval of 0 to 5 % around 2 % says little, and so does one of 64 to 100 % around 95 %.
    known, roughly = max(4.0, min(value, 100 * WIDE) / 2), max(8.0, min(value, 100 * WIDE))
    how = "fairly well known" if width <= known else "roughly known" if width <= roughly else "hardly known"
    how = "hardly known" if little else how
    figure = f"{100 * estimate['value']:.0f} %"
    return f"How sure: the {figure} are {how}, with a 95 % interval of {low:.0f} to {high:.0f} %, {measured}."


def _advice_on_edits(right: dict[str, Any]) -> str:
    if right["value"] is None or right["high"] - right["low"] > WIDE:
        return "This is too little to decide by: replay more commits (`--commits`)."
    if right["high"] < WRONG:
        return "Switch next edits off here: `next_edits = false`."
    return "Leave next edits on."


def _useless_languages(typed: dict[str, Any] | None, cursors: dict[str, Any] | None) -> list[str]:
    """Return the languages in which texts are clearly more often wrong than right, or clearly cost keys.

    A repository that is all of one such language is answered by the whole figure instead.
    """
    found = []
    if typed is not None and len(typed["languages"]) > 1:
        rows = typed["languages"].items()
        found = [name for name, one in rows if one["texts"] >= TOLD and one["saved"]["high"] < 0]
    if cursors is not None and len(cursors["groups"]["language"]) > 1:
        for name, one in cursors["groups"]["language"].items():
            right = one["precision"]
            if name not in found and right["count"] >= TOLD and right["high"] < WRONG:
                found.append(name)
    return [printable(name) for name in found]


def _period(report: dict[str, Any]) -> str:
    """Return what was replayed, as part of a sentence."""
    stages, name = report["stages"], printable(report["repository"])
    if stages and "from" in stages[0]:
        commits = sum(stage["commits"] for stage in stages)
        return f"the last {commits:,} commits of {name}" if commits > 1 else f"the last commit of {name}"
    return f"held-out files of {name}"


def _share(estimate: dict[str, Any]) -> str:
    return "none" if estimate["value"] is None else f"{100 * estimate['value']:.0f} %"
