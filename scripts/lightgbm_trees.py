"""Turns a LightGBM model into the plain tree ensemble that Ondol ships."""

from typing import Any

import numpy as np

from lsp_server.retrieval.trees import TreeEnsemble


def trees_of(booster: Any, names: tuple[str, ...]) -> TreeEnsemble:
    """Return a LightGBM model as a plain ensemble.

    :param names: the features by column.
    """
    feature, threshold, left, right, value, roots = [], [], [], [], [], []
    deepest = 0

    def add(node: dict[str, Any], depth: int) -> int:
        nonlocal deepest
        deepest = max(deepest, depth)
        here = len(feature)
        leaf = "leaf_value" in node
        feature.append(0 if leaf else node["split_feature"])
        threshold.append(0.0 if leaf else node["threshold"])
        value.append(node["leaf_value"] if leaf else 0.0)
        left.append(here)
        right.append(here)
        if not leaf:
            left[here] = add(node["left_child"], depth + 1)
            right[here] = add(node["right_child"], depth + 1)
        return here

    for tree in booster.dump_model()["tree_info"]:
        roots.append(add(tree["tree_structure"], 0))
    columns = (feature, threshold, left, right, value, roots)
    return TreeEnsemble(names, *map(np.array, columns), deepest)
