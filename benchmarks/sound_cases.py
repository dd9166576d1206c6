"""The documents of ``bench_sound.py``: a file is typed from its top down, so the changes above a cursor are made.

A case of the commit replay holds nothing of its commit but the lines of its own hunk. Whoever types an ``endif`` has
typed its ``ifdef`` before, often in another hunk of the same file; without that the author's own line is wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from finetune.commits.cases import Case
from finetune.commits.windows import Edit
from indexer.text.lines import lines_of


def from_top(cases: Iterable[Case], edits: Iterable[Edit]) -> Iterator[tuple[Case, str]]:
    """Yield the cases with the text above the cursor as it is after the commit; moved lines are left out.

    What the hunk replaces is overwritten line by line, as in the replay: later old lines still stand below the cursor.
    The second value is what stands below the line when the author has finished. It is for the judge alone.
    """
    by_path = {(edit.commit.id, edit.change.path): edit for edit in edits}
    for case in cases:
        found = None if case.moved else _from_top(case, by_path[case.commit, case.path])
        if found is not None:
            yield found


def _from_top(case: Case, edit: Edit) -> tuple[Case, str] | None:
    old, new = lines_of(edit.old_text), lines_of(edit.new_text)
    typed = case.text[case.text.rfind("\n", 0, case.offset) + 1 : case.offset]
    for hunk in edit.change.hunks:
        number, end = case.line - hunk.old_start + hunk.new_start, hunk.new_start + hunk.new_count
        if not hunk.new_start <= number < end or new[number].rstrip() != typed + case.rest:
            continue
        if tuple(new[number + 1 : end]) == case.following:
            head = "".join(line + "\n" for line in new[:number]) + typed
            below = old[hunk.old_start + min(number - hunk.new_start + 1, hunk.old_count) :]
            finished = "".join("\n" + line for line in new[number + 1 :])
            return replace(case, text=head + "\n" + "\n".join(below), offset=len(head), line=number), finished
    return None
