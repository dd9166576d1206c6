"""What two versions of a text have in common at their beginnings and ends.

Slices are compared, by bisection: a key in a document of 400,000 characters costs some 40 comparisons.
"""


def common_start(one: str, other: str) -> int:
    """Return the length of the common beginning of two texts."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_ends(old: str, new: str) -> tuple[int, int]:
    """Return the length of the common beginning of two texts, and that of the common end of what is left."""
    start = common_start(old, new)
    return start, common_start(old[start:][::-1], new[start:][::-1])
