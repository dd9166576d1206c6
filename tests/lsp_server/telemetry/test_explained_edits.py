"""Tests for what is said about a request for the next edit."""

import pytest

from lsp_server.reasons import Reason
from lsp_server.telemetry.explanations import explain


@pytest.mark.parametrize(
    ("searched", "said"),
    [
        (
            {"places": 9, "places_cut": 1234},
            "Other lines that were tried: 9; 1,234 that are less likely were left out.",
        ),
        ({"places": 3, "places_cut": 0}, "Other lines that were tried: 3."),
        ({"files": 20, "files_cut": 58}, "Other files that were looked at: 20; 58 that hold less of it were left out."),
        ({"files": 2}, "Other files that were looked at: 2."),
    ],
)
def test_it_is_said_what_was_tried_and_what_was_left_out(searched: dict[str, int], said: str) -> None:
    record = {"kind": "next_edit", "path": "a.py", "line": 3, "column": 1, "reason": Reason.NO_NEXT_EDIT}
    assert said in explain(record | {"searched": searched})
    assert not [line for line in explain(record) if line.startswith("Other")]
