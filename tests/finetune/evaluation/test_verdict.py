"""The verdict of ``ondol eval``: its three sentences, the advice, and the size of the first screen."""

import io
import random
from typing import Any

import pytest
from rich.console import Console

from finetune.evaluation import screen
from finetune.evaluation.edit_figures import MEASURES as EDITS
from finetune.evaluation.summary import MEASURES
from finetune.evaluation.typing_figures import MEASURES as TYPED
from finetune.evaluation.verdict import advice, verdict
from tests.support import screens


def estimate(value: float | None, width: float = 0.04, count: int = 300) -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None, "count": 0}
    return {"value": value, "low": value - width / 2, "high": value + width / 2, "count": count}


def cursors(saved: float | None = 0.2, width: float = 0.04, right: float | None = 0.7, count: int = 90) -> Any:
    figures = {key: estimate(0.4) for key in MEASURES} | {"saved": estimate(saved, width)}
    return {"cases": 300, **figures, "precision": estimate(right, count=count)}


def report(*systems: str, overall: Any = None, languages: dict[str, Any] | None = None) -> dict[str, Any]:
    one = {"overall": overall or cursors(), "groups": {"language": languages or {"python": cursors()}}}
    return {
        "repository": "shop",
        "asked": {"commits": 100},
        "settings": {"precision": 0.66},
        "stages": [{"commits": 100, "from": "2026-01-01", "to": "2026-03-01"}],
        "notes": [],
        "cases": 300,
        "files": 45,
        "partial": False,
        "systems": dict.fromkeys(systems or ("retrieval",), one),
    }


def typed(saved: float = 0.3, texts: int = 200) -> dict[str, Any]:
    figures = {key: estimate(0.4) for key in TYPED} | {"saved": estimate(saved)}
    return {"hunks": 40, "characters": 3000, "texts": texts, **figures}


def edits(width: float = 0.04) -> dict[str, Any]:
    figures = {key: estimate(0.9, width) for key in EDITS} | {"saved": estimate(0.4), "ms": {"p50": 2.0, "p95": 9.0}}
    return {order: {"overall": {"commits": 20, "edits": 300, **figures}} for order in ("in_order", "random")}


def printed(given: dict[str, Any]) -> str:
    out = io.StringIO()
    screen.show(given, Console(file=out, width=screens.COLUMNS, highlight=False))
    return out.getvalue()


def test_three_sentences_say_what_was_saved_how_sure_and_what_to_do() -> None:
    what, sure, advised = verdict(report())
    assert what.startswith("Ondol would have saved 20 % of the characters in the last 100 commits of shop:")
    assert "shown a text at 40 % of the places, and 70 % of these texts were right" in what
    assert "95 % interval of 18 to 22 %, from 300 cursors in 45 files" in sure
    assert advised.startswith("Leave it on")


def test_a_narrow_interval_of_few_cursors_is_no_knowledge() -> None:
    given = report(overall=cursors(saved=0.0, width=0.0)) | {"cases": 1, "files": 1}
    assert "are hardly known" in verdict(given)[1] and "from 1 cursor in 1 file." in verdict(given)[1]
    assert "are fairly well known" in verdict(given | {"cases": 300})[1]


def test_the_typing_replay_speaks_of_keys() -> None:
    given = report() | {"typing": {"systems": {"retrieval": {"overall": typed(), "languages": {"python": typed()}}}}}
    what, sure, _ = verdict(given)
    assert what.startswith("Ondol would have saved 30 % of the keys") and "typed past" in what
    assert "40 typed hunks" in sure


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (report(overall=cursors(width=0.5)), "--commits 400"),
        (report(overall=cursors(saved=None)), "too little"),
        (report(overall=cursors(right=1.0, count=1)), "too little"),
        (report(overall=cursors(saved=0.0, width=0.0)) | {"cases": 1}, "too little"),
        (report(overall=cursors(saved=0.0, width=0.01)), "leave it off"),
        (report(overall=cursors(right=0.5)), "ondol eval --fit-gate"),
        (
            report(languages={"python": cursors(), "yaml": cursors(right=0.2), "sql": cursors(right=0.2, count=5)}),
            'disabled_languages = ["yaml"]',
        ),
        (report(overall=cursors(right=0.2), languages={"yaml": cursors(right=0.2)}), "ondol eval --fit-gate"),
        (report(), "Leave it on: "),
    ],
)
def test_the_advice_follows_the_intervals(given: dict[str, Any], said: str) -> None:
    assert said in advice(given)


def test_a_language_that_costs_keys_is_switched_off() -> None:
    languages = {"python": typed(), "sql": typed(saved=-0.1)}
    given = report() | {"typing": {"systems": {"retrieval": {"overall": typed(), "languages": languages}}}}
    assert 'disabled_languages = ["sql"]' in advice(given)


def test_a_replay_that_was_stopped_and_one_without_history_say_so() -> None:
    assert "where the replay was stopped" in verdict(report() | {"partial": True})[1]
    assert "held-out files of shop" in verdict(report() | {"stages": [{"held_out": 4}]})[0]


def test_the_replay_of_edits_has_a_verdict_of_its_own() -> None:
    given = report() | {"edits": edits()}
    del given["systems"]
    what, _, advised = verdict(given)
    assert "90 % of the changes" in what and advised == "Leave next edits on."


def test_a_wide_interval_is_no_knowledge_however_high_the_share() -> None:
    given = report() | {"edits": edits(width=0.35)}
    del given["systems"]
    assert "are hardly known" in verdict(given)[1] and "too little" in verdict(given)[2]
    assert "are roughly known" in verdict(given | {"edits": edits(width=0.25)})[1]


def test_each_kind_of_figures_that_was_asked_for_is_on_the_first_screen() -> None:
    typing = {"typing": {"systems": {"retrieval": {"overall": typed(), "languages": {"python": typed()}}}}}
    text = " ".join(printed(report() | {"edits": edits()} | typing).split())
    for said in ("of the keys in", "of the characters in", "90 % of the changes"):
        assert text.count(said) == 1, text
    assert text.index("of the keys in") < text.index("of the characters in") < text.index("90 % of the changes")


def test_the_table_of_edits_is_not_cut_off() -> None:
    given = {key: value for key, value in report().items() if key != "systems"} | {"edits": edits(width=0.35)}
    text = printed(given)
    assert "…" not in text and text.count("90.0 % [73, 108]") == 6, text


@pytest.mark.parametrize("seed", range(5))
def test_the_first_screen_fits_24_lines_of_100_columns(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    names = [
        "한국어로 된 언어 이름",
        "objective-c++ with a very long name",
        "\u202egnp.exe",
        *(f"language{n}" for n in range(30)),
    ]
    languages = {rng.choice(names) + str(n): cursors() for n in range(30)}
    many = report(languages=languages) | {"notes": ["a note that is much too long " * 12] * 9}
    typing = {"overall": typed(), "languages": {name: typed() for name in languages}}
    for given in (
        many,
        many | {"typing": {"systems": {"retrieval": typing}}},
        many | {"systems": {f"system_{n}": many["systems"]["retrieval"] for n in range(8)}},
        {key: value for key, value in many.items() if key != "systems"} | {"edits": edits()},
        many | {"typing": {"systems": {"retrieval": typing}}, "edits": edits()},
    ):
        text = printed(given)
        assert screens.fits(text), text
        assert "\u202e" not in text
