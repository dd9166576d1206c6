"""One row for each adapter version, for the terminal and the web page."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetune.adapters.stale_data import StaleData
    from lsp_server.weights.adapter_registry_writer import Version


def row_of(one: "Version", now: int | None, stale: "dict[int, StaleData]") -> dict[str, Any]:
    """Return the row of a version.

    :param now: number of the current version.
    :param stale: version number -> its stale data.
    """
    from finetune.nightly.promotion import BASE, CANDIDATE, points

    gain = one.field("metrics", "gains", BASE)
    exact = _number(one.field("metrics", "systems", CANDIDATE, "exact", "value"))
    if exact is None:  # a manifest of the version before
        exact = _number(one.field("metrics", "arms", CANDIDATE, "exact", "value"))
    whole = isinstance(gain, dict) and None not in (_number(gain.get(name)) for name in ("value", "low", "high"))
    return {
        "version": one.number,
        "current": one.number == now,
        "made": _text(one.field("made")),
        "base": _text(one.field("base", "name")),
        "commits": _number(one.field("commits", "count")),
        "samples": _number(one.field("dataset", "samples")),
        "exact": exact,
        "gain": points(gain) if whole else None,
        "verdict": _text(one.field("verdict")),
        "mark": str(stale[one.number]) if one.number in stale else None,
        "problem": one.problem,
    }


def _text(value: Any) -> str | None:
    """Return a value if it is text: a manifest that was damaged or written by others may hold anything."""
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    """Return a value if it is a number."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
