"""The length of drafts follows the cost of passes and the agreement of drafts."""

import pytest

from lsp_server.backends.draft_length import LENGTHS, DraftLength


def measured(costs: dict[int, float], agreed: int, length: int) -> DraftLength:
    """A draft length with known costs, after fifty drafts of one length whose first ``agreed`` tokens agreed."""
    lengths = DraftLength()
    for _ in range(50):
        for width, seconds in costs.items():
            lengths.record_pass(width, seconds)
        lengths.record_draft("copy", agreed, length)
    return lengths


@pytest.mark.parametrize(
    ("costs", "agreed", "length", "expected"),
    [
        ({w + 1: 1.0 for w in LENGTHS}, 3, 3, LENGTHS[-1]),  # wide passes cost no more and all agree
        ({w + 1: 1.0 + w for w in LENGTHS}, 1, 2, 0),  # each token costs as much as a pass
        # two cost less than one: even a bad guess
        ({1: 1.0, 2: 0.5, 3: 1.5, 4: 2.0, 6: 3.0, 9: 5.0, 13: 8.0}, 0, 1, 1),
        ({1: 1.0, 2: 2.8, 3: 3.3, 4: 3.8, 6: 4.4, 9: 5.0, 13: 6.0}, 1, 12, 0),  # a large 8-bit file on a CPU
        ({1: 1.0, 2: 2.8, 3: 3.3, 4: 3.8, 6: 4.4, 9: 5.0, 13: 6.0}, 12, 12, 12),
    ],
)
def test_the_length_that_gives_the_most_tokens_per_second_is_chosen(
    costs: dict[int, float], agreed: int, length: int, expected: int
) -> None:
    assert measured(costs, agreed, length).choose("copy", 12) == expected


def test_the_length_never_exceeds_the_room() -> None:
    lengths = measured({w + 1: 1.0 for w in LENGTHS}, 3, 3)
    assert [lengths.choose("copy", most) for most in (12, 7, 1, 0, -3)] == [12, 7, 1, 0, 0]


def test_one_slow_pass_changes_nothing() -> None:
    lengths = measured({w + 1: 1.0 for w in LENGTHS}, 3, 3)
    for seconds in (90.0, 1.0):
        lengths.record_pass(13, seconds)
    assert lengths.choose("copy", 12) == 12


def test_old_agreement_is_forgotten() -> None:
    costs = {w + 1: 1.0 + 0.2 * w for w in LENGTHS}
    lengths = measured(costs, 0, 3)
    assert lengths.choose("copy", 12) <= 1
    for _ in range(60):
        lengths.record_pass(1, 1.0)
        lengths.record_draft("copy", 3, 3)
    assert lengths.choose("copy", 12) >= 3


def test_an_expensive_draft_is_not_tried_out() -> None:
    lengths = DraftLength()
    for _ in range(3):
        lengths.record_pass(64, 64 * 0.006)
        lengths.record_pass(1, 0.016)
        lengths.record_pass(2, 0.032)
    assert lengths.choose("copy", 12) == 0  # half of the first tokens agree, as far as is known


def test_a_source_that_is_not_used_can_show_that_it_has_become_right() -> None:
    lengths = DraftLength()
    for width in (1, 2, 64) * 3:
        lengths.record_pass(width, 0.016 + 0.008 * (width - 1))
    assert lengths.choose("copy", 12) == 0
    for _ in range(40):
        lengths.record_pass(1, 0.016)
        lengths.record_draft("copy", 1, 1)
    assert lengths.choose("copy", 12) > 0
