"""Every reason has a sentence and is used, and none is written as a bare string."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_server.reasons import Reason, sentence, verdict
from lsp_server.telemetry.explanations import explain
from lsp_server.types import Answer

ROOT = Path(__file__).parents[2]
MODULES = [
    path
    for package in ("lsp_server", "finetune")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path != ROOT / "lsp_server" / "reasons.py"
]
GENERATIONS = ROOT / "lsp_server" / "backends"  # `Generation.reason` says how a text ended: words of its own
TYPES_OF_A_REASON = {"Answer", "ModelAnswer", "Ticket"}


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in MODULES:
        yield path, ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_sentence_of_its_own(reason: Reason) -> None:
    assert reason.sentence.endswith(".") and reason.sentence[0].isupper()
    assert [one for one in Reason if one.sentence == reason.sentence] == [reason]
    assert sentence(reason.value) == reason.sentence


def test_every_reason_is_used() -> None:
    used = {
        node.attr
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }
    phases = {"MODEL_LOADING", "MODEL_CLOSED"}  # made from the model's phase
    assert set(Reason.__members__) - used == phases


def test_no_reason_is_a_bare_string() -> None:
    values = set(Reason)
    for path, tree in trees():
        if GENERATIONS in path.parents:
            continue
        for node in ast.walk(tree):
            written: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TYPES_OF_A_REASON:
                written = [*node.args, *(one.value for one in node.keywords)]
            if isinstance(node, ast.Compare) and "reason" in ast.unparse(node.left).split("."):
                written = list(node.comparators)
            if isinstance(node, ast.Assign) and "record['reason']" in ast.unparse(node.targets[0]):
                written = [node.value]
            if isinstance(node, ast.FunctionDef) and node.returns and "Reason" in ast.unparse(node.returns):
                written = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
            strings = [one for place in written for one in ast.walk(place) if isinstance(one, ast.Constant)]
            assert not [one.value for one in strings if one.value in values], f"{path}:{node.lineno}"


def test_traces_store_the_value() -> None:
    answer = Answer((), Reason.SAVES_LITTLE)
    assert json.loads(json.dumps({"reason": answer.reason})) == {"reason": "saves-little"}


def test_a_reason_of_another_version_is_named() -> None:
    assert "The engine's verdict was `popup`." in explain({"id": "1", "reason": "popup"})


def test_what_does_not_fit_names_its_one_reason() -> None:
    assert "secret" in verdict("does-not-fit", {"rejected": ["secret", "unsound"]})
    assert verdict("does-not-fit", {"rejected": ["unsound"]}) == (
        "What was found would add a syntax error to the document."
    )
    for trace in ({}, {"rejected": []}, {"rejected": ["of a later version"]}, {"rejected": "unsound"}):
        assert verdict("does-not-fit", trace) == Reason.DOES_NOT_FIT.sentence
    assert verdict("gate", {"rejected": ["unsound"]}) == Reason.GATE.sentence
