"""What is remembered of suggestions: traces that explain, and numbers that hold no text."""

import json
import stat
import time
from pathlib import Path

import pytest

from lsp_server.positions import units
from lsp_server.telemetry.explanations import explain
from lsp_server.telemetry.feedback import Feedback, Offered, retained, summarize
from lsp_server.telemetry.traces import Recorder, Ring, Traces, find
from tests.support.lsp_client import double, edit
from tests.support.repositories import repository
from tests.support.screens import fits
from tests.support.waiting import eventually

SECRET = "needlework_of_gold"


def events(data: Path) -> list[dict]:
    found = []
    for path in data.rglob("stats.jsonl"):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return found


def test_shown_accepted_and_partly_accepted_are_recorded_without_text(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x"}, commit=False)
    uri = (root / "a.py").as_uri()
    with double(tmp_path) as client:
        client.initialize([root])
        client.open((root / "b.py").as_uri(), "needle😀" + SECRET)
        client.open(uri, "find ")
        (item,) = client.complete(uri, 0, 5, automatic=True)
        client.notify("textDocument/didShowCompletion", {"item": item})
        taken = units(item["insertText"][:4], "utf-16")
        client.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": taken})
        client.command("ondol.accepted", *item["command"]["arguments"])
        client.command("ondol.accepted", *item["command"]["arguments"])
        client.command("ondol.accepted", {"id": "no-such-id"})
        assert "lib.py:3" in client.command("ondol.explain", *item["command"]["arguments"])
    found = events(tmp_path / "data")
    assert [event["event"] for event in found] == ["shown", "partial", "accepted"]
    assert {event["id"] for event in found} == {item["command"]["arguments"][0]["id"]}
    assert [event["characters"] for event in found] == [19, 4, 19]
    assert (found[0]["language"], found[0]["engine"]) == ("python", "double")
    for path in (tmp_path / "data").rglob("*.jsonl"):
        assert "of_gold" not in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_stays_for_750_ms_counts_as_shown_and_what_is_typed_over_does_not(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x"}, commit=False)
    with double(tmp_path) as client:
        client.initialize([root])
        for name, typed in (("a.py", "a"), ("b.py", "Q"), ("c.py", "")):
            uri = (root / name).as_uri()
            client.open(uri, "def add(")
            client.complete(uri, 0, 8, automatic=True)
            client.change(uri, 2, edit(0, 8, typed))
        eventually(lambda: sum(event["event"] == "shown" for event in events(tmp_path / "data")) == 2)
        time.sleep(0.3)
        assert len(events(tmp_path / "data")) == 2


def test_text_is_traced_only_where_the_user_allows_it(tmp_path: Path) -> None:
    root = repository(tmp_path / "shop", {"a.py": "x"}, commit=False)
    uri = (root / "a.py").as_uri()
    for allowed in (False, True):
        with double(tmp_path) as client:
            client.initialize([root], options={"traceText": allowed})
            client.open(uri, "def add(")
            client.complete(uri, 0, 8)
        (trace,) = (tmp_path / "data").rglob("traces.jsonl")
        assert ("return a + b" in trace.read_text()) is allowed


@pytest.mark.parametrize(
    ("accepted", "text", "kept", "alike"),
    [
        ("return price", "x\n    return price\n", (1, 1), (1, 1)),
        ("return price * 2", "x\n    return cost * 2\n", (0.5, 0.9), (0.5, 0.95)),
        ("return price", "", (0, 0), (0, 0)),
        ("abcdefgh", "zzzz", (0, 0), (0, 0)),
    ],
)
def test_retention(accepted: str, text: str, kept: tuple[float, float], alike: tuple[float, float]) -> None:
    share, similarity = retained(accepted, text, 6)
    assert kept[0] <= share <= kept[1]
    assert alike[0] <= similarity <= alike[1]


def test_retention_is_looked_at_after_30_seconds_and_five_minutes(tmp_path: Path) -> None:
    calls, texts, recorder = [], iter(["x = return_price", "x = 1"]), Recorder()
    feedback = Feedback(recorder, lambda seconds, call: calls.append((seconds, call)))
    ring = Ring(tmp_path / "stats.jsonl", 10_000)
    feedback.offer(Offered("1", "return_price", 0, 4, ring, {"language": "python"}, lambda: next(texts)), lambda: True)
    assert feedback.accepted("1")
    for seconds, call in sorted(calls[1:], key=lambda pair: pair[0]):
        assert seconds in (30, 300)
        call()
    recorder.close(60)
    kept = {event["after"]: event["kept"] for event in ring.read() if event["event"] == "retained"}
    assert kept == {30: 1.0, 300: 0.0}


def test_a_text_that_is_typed_through_counts_once_whatever_its_ids(tmp_path: Path) -> None:
    recorder, ring, text = Recorder(), Ring(tmp_path / "stats.jsonl", 100_000), "return_price(now)"
    feedback = Feedback(recorder, lambda seconds, call: None)

    def offer(identifier: str, insert: str, at: int) -> None:
        facts = {"language": "python", "engine": "retrieval"}
        feedback.offer(Offered(identifier, insert, 0, at, ring, facts, lambda: None, "a.py"), lambda: True)
        feedback.shown(identifier)

    for typed in range(8):
        offer(str(typed), text[typed:], 100 + typed)
    feedback.accepted("7")
    offer("8", "return_price(then)", 100)  # another text
    offer("9", "price(then)", 400)  # another place
    recorder.close(60)
    events = [(event["event"], event["id"]) for event in ring.read()]
    assert events == [("shown", "0"), ("accepted", "0"), ("shown", "8"), ("shown", "9")]


def test_a_text_that_is_accepted_word_by_word_counts_once() -> None:
    told = [("shown", "1"), ("partial", "1"), ("partial", "1"), ("shown", "1"), ("shown", "2"), ("partial", "2")]
    records = [{"time": 1, "event": event, "id": one, "characters": 4} for event, one in (*told, ("accepted", "2"))]
    total = summarize(records)[-1]
    assert (total["shown"], total["accepted"], total["partial"], total["characters"]) == (2, 1, 1, 8)


def test_the_table_counts_by_language_engine_and_adapter() -> None:
    def event(kind: str, identifier: str, language: str = "python", **more: object) -> dict:
        return {"time": 100, "event": kind, "id": identifier, "language": language, "engine": "retrieval", **more}

    rows = summarize(
        [
            event("shown", "1", characters=10),
            event("shown", "2", characters=10),
            event("shown", "3", "go"),
            event("partial", "1", characters=4),
            event("accepted", "1", characters=10),
            event("retained", "1", after=30, kept=0.5, similarity=0.6),
            {"time": 1, "event": "shown", "id": "old"},
        ],
        since=50,
    )
    assert [row["language"] for row in rows] == ["go", "python", "all"]
    assert rows[1] | {"adapter": ""} == rows[1]
    assert (rows[1]["shown"], rows[1]["accepted"], rows[1]["accepted_share"]) == (2, 1, 0.5)
    assert (rows[1]["characters"], rows[1]["kept_30"], rows[1]["kept_300"]) == (10, 0.5, None)
    assert rows[2]["shown"] == 3


def test_a_ring_is_bounded_private_and_survives_rubbish(tmp_path: Path) -> None:
    ring = Ring(tmp_path / "r.jsonl", 5_000)
    for number in range(1_000):
        ring.append({"id": number, "pad": "x" * 50})
    ring.append({"id": "huge", "trace": "y" * 200_000})
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2
    assert sum(sizes) <= 10_000
    with ring.path.open("ab") as file:
        file.write(b'{"cut of\n\xff\n[1]\n')
    records = ring.read()
    assert records[-1] == {"id": "huge"}
    assert [r["id"] for r in records[:-1]] == list(range(records[0]["id"], 1_000))


def test_a_folder_that_cannot_be_written_costs_records_and_nothing_else(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.put(Ring(tmp_path / "no" / "such" / "folder.jsonl", 100), {"id": 1})
    good = Ring(tmp_path / "good.jsonl", 1_000)
    recorder.put(good, {"id": 2})
    recorder.close(60)
    assert good.read() == [{"id": 2}]


def test_a_text_that_was_held_back_is_explained_and_stays_in_memory(tmp_path: Path) -> None:
    recorder = Recorder()
    ring, traces = Ring(tmp_path / "traces.jsonl", 1_000_000), Traces(recorder)
    held: dict[str, object] = {"text": "#(virtual irq_if)::get(this)", "probability": 0.11, "from": "tb/env.sv:7"}
    held |= {"next_word": 0.75, "next_word_least": 0.8124}
    trace = {"probability": 0.98, "threshold": 0.66, "held": held, "matches": 3, "candidates": 1, "longest": 5}
    traces.add(ring, {"id": "1", "reason": "gate", "automatic": True, "probability": None, "trace": trace})
    recorder.close(60)
    said = explain(traces.find("last") or {})
    text = "Held back: `#(virtual irq_if)::get(this)`. It had a probability of 11 %; `precision` asks for 66 %."
    assert text in said
    word = "Its most probable beginning, one word, had a probability of 75 %; an automatic one needs 81 %."
    assert word in said, "a text may be probable enough as a whole, and its first word not"
    assert "It comes from tb/env.sv:7." in said
    assert any(line.startswith("Considered: 3 places agree") and line.endswith("1 text was compared.") for line in said)
    every = explain(traces.find("last") or {}, full=True)
    assert "longest agreement in tokens: 5" in every
    assert not any(line.startswith(("probability", "threshold")) for line in every), "one scale"
    written = ring.read()[0]
    del held["text"]
    assert written["trace"]["held"] == {**held, "characters": 28}
    assert "a text of 28 characters that only the running server knows" in " ".join(explain(written))
    assert "irq_if" not in (tmp_path / "traces.jsonl").read_text()


def test_a_probability_with_the_model_stands_next_to_the_threshold_and_retrievals_own_does_not() -> None:
    held = {"text": "total", "probability": 0.2, "next_word": 0.3}
    trace = {"threshold": 0.66, "held": held, "blended": [0.41, 0.1], "model": "base", "prompt_tokens": 1200}
    said = explain({"id": "1", "reason": "gate", "automatic": True, "trace": trace})
    sentence = (
        "Retrieval alone gave it a probability of 20 %; with the model, the best text reached 41 %; `precision` asks"
    )
    assert any(sentence in line for line in said)
    assert "The model base was asked too, which read 1,200 tokens." in said


@pytest.mark.parametrize("text", ["x" * 5_000, "한국어 " * 80, "one\ntwo\nthree"], ids=["long", "Korean", "lines"])
def test_an_explanation_fits_a_screen(text: str) -> None:
    held = {"text": text, "probability": 0.2, "next_word": 0.3, "from": "a/" * 60 + "b.py:1"}
    trace = {"threshold": 0.66, "held": held, "blended": [0.4], "matches": 9, "candidates": 3, "longest": 4}
    trace |= {"model": "base" * 10, "adapter": 3, "prompt_tokens": 9000, "model_reason": "waiting"}
    record = {"id": "1", "reason": "gate", "automatic": True, "path": "src/" * 40, "ms": 1.5, "refused": 3}
    assert fits("\n".join(explain({**record, "error": "ValueError", "trace": trace})))


def test_the_last_record_is_one_that_says_something() -> None:
    records = [{"id": "1", "reason": "gate", "items": ["9"]}, {"id": "2", "reason": "superseded"}]
    assert find(records, "last") == records[0]
    assert find(records, "2") == records[1]
    assert find(records, "9") == records[0]
    assert find(records, "7") is None
    assert find([], None) is None
    record = {**records[0], "probability": 0.31, "automatic": True, "path": "a.py", "line": 3}
    said = explain({**record, "trace": {"threshold": 0.66, "model_reason": "copier-certain"}})
    assert "not likely enough" in said[1]
    assert said[2] == "The best text had a probability of 31 %; `precision` asks for 66 %."
    assert any(line.startswith("Retrieval had a suggestion that is probable enough") for line in said)
    assert "asks for" not in explain({**record, "automatic": False, "trace": {"threshold": 0.375}})[2]
