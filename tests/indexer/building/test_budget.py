"""Ceilings: over them an index degrades in the stated order, says what is left out, and an update is still a build."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.building import budget
from indexer.building.build import build
from indexer.building.report import BuildReport
from indexer.building.worker import Limits
from indexer.config import Settings, load
from indexer.data_layout import index_directory
from indexer.storage.reader import Index
from tests.support.indexes import holds, settings
from tests.support.repositories import git, repository, write

MB = 1_000_000


def text(seed: int, size: int) -> str:
    rng = random.Random(seed)
    lines, length = [], 0
    while length < size:
        lines.append(f"value_{rng.randrange(10**9)} = {rng.randrange(10**9)}")
        length += len(lines[-1]) + 1
    return "\n".join(lines)[: size - 1] + "\n"


def run(root: Path, data: Path, **values: Any) -> tuple[BuildReport, Index]:
    chosen = settings(data, **values)
    report = build(root, chosen)
    return report, Index.open(index_directory(chosen, root))


def reasons(report: BuildReport) -> dict[str, str]:
    return {skip.path: skip.reason for skip in report.skips if skip.reason in BUDGET}


BUDGET = (budget.DUPLICATE, budget.NOT_WRITTEN, budget.OLDEST, budget.TIME)


def team(folder: Path) -> Path:
    """A repository of 1.1 MB, with copies, vendored code, and a file that only its first commit touched."""
    shared = text(1, 100_000)
    files: dict[str, str | bytes] = {
        "old.py": text(2, 200_000),
        "lib/copy.py": shared,
        "copy.py": shared.replace(" = ", "   =  "),
        "vendor/a.py": text(3, 100_000),
        "vendor/b.py": text(4, 200_000),
        "new.py": text(5, 200_000),
    }
    root = repository(folder, files)
    write(root, {"new.py": text(6, 200_000), "newer.py": text(7, 200_000)})
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "second")
    write(root, {"untracked.py": text(8, 100_000)})
    return root


def test_below_the_ceiling_nothing_is_left_out(tmp_path: Path) -> None:
    root = team(tmp_path / "repo")
    report, index = run(root, tmp_path / "data", include_vendored=True)
    assert not reasons(report)
    assert not report.notes
    assert len(index.documents) == 8


@pytest.mark.parametrize(
    ("megabytes", "left"),
    [
        (3, {}),
        (2, {"lib/copy.py": budget.DUPLICATE, "vendor/b.py": budget.NOT_WRITTEN}),
        (
            1,
            {
                "lib/copy.py": budget.DUPLICATE,
                "vendor/b.py": budget.NOT_WRITTEN,
                "vendor/a.py": budget.NOT_WRITTEN,
                "copy.py": budget.OLDEST,
                "old.py": budget.OLDEST,
            },
        ),
    ],
)
def test_over_the_ceiling_files_are_left_out_in_the_stated_order(
    tmp_path: Path, megabytes: int, left: dict[str, str]
) -> None:
    root = team(tmp_path / "repo")
    report, index = run(root, tmp_path / "data", include_vendored=True, max_index_mb=megabytes)
    assert reasons(report) == left
    assert not set(left) & set(index.documents)
    assert "untracked.py" in index.documents
    assert "newer.py" in index.documents
    said = [note for note in report.notes if "max_index_mb" in note]
    assert bool(said) == bool(left)
    assert sum(document.size for document in index.documents.values()) * budget.INDEX_BYTES_PER_BYTE <= megabytes * MB


def test_an_update_at_the_ceiling_equals_a_build(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    root = repository(tmp_path / "repo", {f"{n}.py": text(n, 60_000) for n in range(30)})
    for step in range(5):
        for _ in range(3):
            write(root, {f"{rng.randrange(40)}.py": text(rng.randrange(6), rng.choice([40_000, 60_000, 90_000]))})
        if rng.random() < 0.5:
            git(root, "add", "-A")
            git(root, "commit", "-q", "-m", "more")
        report, index = run(root, tmp_path / "data", max_index_mb=2)
        fresh_report, fresh = run(root, tmp_path / f"fresh{step}", max_index_mb=2)
        assert reasons(report) == reasons(fresh_report)
        assert reasons(report)
        assert holds(index) == holds(fresh)


def test_a_higher_ceiling_brings_the_files_back(tmp_path: Path) -> None:
    root = team(tmp_path / "repo")
    _, low = run(root, tmp_path / "data", max_index_mb=1)
    report, high = run(root, tmp_path / "data", max_index_mb=10)
    assert not reasons(report)
    assert set(low.documents) < set(high.documents)


def test_files_that_no_minute_was_left_for_come_with_the_next_update(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", {f"{n}.py": text(n, 50_000) for n in range(20)})
    chosen = settings(tmp_path / "data")
    object.__setattr__(chosen, "max_index_minutes", 0.000_001)
    for _ in range(2):
        report = build(root, chosen)
        left = [path for path, reason in reasons(report).items() if reason == budget.TIME]
        assert left
        assert [note for note in report.notes if f"{len(left)} files are left for the next update" in note]
    report, index = run(root, tmp_path / "data")
    assert not reasons(report)
    assert holds(index) == holds(run(root, tmp_path / "fresh")[1])


def test_a_low_memory_ceiling_lets_fewer_processes_run_with_less_each() -> None:
    limits = Limits()
    for ceiling in (1, 500, 1_000, 2_000, 4_000, 100_000):
        chosen = replace(Settings(), workers=16, max_index_memory_mb=ceiling)
        count, each = budget.within_memory(100, chosen, limits)
        assert 1 <= count <= 16
        assert budget.LEAST_FILE_BYTES <= each.memory_bytes <= limits.memory_bytes
        whole = budget.PARENT_BYTES + count * (budget.WORKER_BYTES + each.memory_bytes)
        least = budget.PARENT_BYTES + budget.WORKER_BYTES + budget.LEAST_FILE_BYTES
        assert whole <= max(ceiling * MB, least)
    assert budget.within_memory(100, replace(Settings(), workers=16, max_index_memory_mb=100_000), limits)[0] == 16
    assert budget.within_memory(2, replace(Settings(), workers=16), limits)[0] == 2


def test_a_repository_may_lower_the_ceilings_and_not_raise_them(tmp_path: Path) -> None:
    (tmp_path / ".ondol.toml").write_text("max_index_mb = 5\nmax_index_minutes = 9999\n")
    found, problems = load(tmp_path, env={}, user_file=tmp_path / "none.toml")
    assert found.max_index_mb == 5
    assert found.max_index_minutes == Settings().max_index_minutes
    assert [problem for problem in problems if "max_index_minutes" in problem]


def test_a_folder_without_git_leaves_out_the_oldest_files_by_their_times(tmp_path: Path) -> None:
    import os

    root = tmp_path / "plain"
    write(root, {f"{n}.py": text(n, 200_000) for n in range(5)})
    for n in range(5):
        os.utime(root / f"{n}.py", (1_600_000_000 + n, 1_600_000_000 + n))
    report, _ = run(root, tmp_path / "data", max_index_mb=1)
    assert set(reasons(report)) == {"0.py", "1.py", "2.py"}
