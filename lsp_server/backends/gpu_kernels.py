"""Kernels of a LLaMA's step, written in Triton. See ``fused_step``, which launches them.

A program multiplies whole rows of a matrix with one token's vector, so each number of the matrix is read once.
``EARLY`` lets the next kernel start before this one has ended: it asks for its weights, and waits only then for the
numbers.
"""

import triton
import triton.language as tl


@triton.jit
def _products(
    x_ptr,
    gain_ptr,
    w_ptr,
    first,
    second,
    rows_ok,
    eps,
    K: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    NORM: tl.constexpr,
    TWO: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Multiply the rows ``first`` (and ``second``) of a matrix with a token's vector; float32 of shape (BN,)."""
    square = 0.0
    one = tl.zeros((BN, BK), tl.float32)
    two = tl.zeros((BN, BK), tl.float32)
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)
        k_ok = k < K
        w_ok = rows_ok[:, None] & k_ok[None, :]
        w = tl.load(w_ptr + first.to(tl.int64)[:, None] * K + k[None, :], mask=w_ok, other=0.0)
        if TWO:
            w2 = tl.load(w_ptr + second.to(tl.int64)[:, None] * K + k[None, :], mask=w_ok, other=0.0)
        if EARLY:
            tl.extra.cuda.gdc_wait()
        x = tl.load(x_ptr + k, mask=k_ok, other=0.0).to(tl.float32)
        if NORM:
            square += tl.sum(x * x, axis=0)
            x = x * tl.load(gain_ptr + k, mask=k_ok, other=0.0).to(tl.float32)
        one += w.to(tl.float32) * x[None, :]
        if TWO:
            two += w2.to(tl.float32) * x[None, :]
    first_sum = tl.sum(one, axis=1)
    second_sum = tl.sum(two, axis=1)
    if NORM:
        scale = tl.rsqrt(square / K + eps)
        first_sum = first_sum * scale
        second_sum = second_sum * scale
    return first_sum, second_sum


@triton.jit
def _turned_and_stored(
    one,
    two,
    head,
    column,
    place,
    token,
    cos_ptr,
    sin_ptr,
    q_ptr,
    cache_ptr,
    count,
    context,
    HEADS: tl.constexpr,
    GROUPS: tl.constexpr,
    HALF: tl.constexpr,
):
    """Rotate both halves of a head's numbers, and put them where the attention reads them."""
    if head < HEADS + GROUPS:
        turn = place * 2 * HALF + column
        cos1 = tl.load(cos_ptr + turn).to(tl.float32)
        cos2 = tl.load(cos_ptr + turn + HALF).to(tl.float32)
        sin1 = tl.load(sin_ptr + turn).to(tl.float32)
        sin2 = tl.load(sin_ptr + turn + HALF).to(tl.float32)
        turned = one * cos1 + two * sin1
        two = two * cos2 + one * sin2
        one = turned
    if head < HEADS:
        target = q_ptr + (head * count + token) * 2 * HALF + column
    else:
        target = cache_ptr + ((head - HEADS).to(tl.int64) * context + place) * 2 * HALF + column
    tl.store(target, one.to(q_ptr.dtype.element_ty))
    tl.store(target + HALF, two.to(q_ptr.dtype.element_ty))


@triton.jit
def queries_keys_values(
    x_ptr,
    gain_ptr,
    w_ptr,
    bias_ptr,
    cos_ptr,
    sin_ptr,
    start_ptr,
    q_ptr,
    cache_ptr,
    eps,
    context,
    K: tl.constexpr,
    HEADS: tl.constexpr,
    GROUPS: tl.constexpr,
    HALF: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BIAS: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Norm, product and rotation of one token; queries go to ``q`` (heads, 1, size), keys and values into the cache."""
    per_head: tl.constexpr = HALF // BN
    head = tl.program_id(0) // per_head
    column = (tl.program_id(0) % per_head) * BN + tl.arange(0, BN)
    first = head * 2 * HALF + column
    one, two = _products(
        x_ptr, gain_ptr, w_ptr, first, first + HALF, column < HALF, eps, K, BN, BK, NORM=True, TWO=True, EARLY=EARLY
    )
    if BIAS:
        one += tl.load(bias_ptr + first).to(tl.float32)
        two += tl.load(bias_ptr + first + HALF).to(tl.float32)
    place = tl.load(start_ptr)
    _turned_and_stored(
        one, two, head, column, place, 0, cos_ptr, sin_ptr, q_ptr, cache_ptr, 1, context, HEADS, GROUPS, HALF
    )


@triton.jit
def turned(
    joined_ptr,
    cos_ptr,
    sin_ptr,
    start_ptr,
    q_ptr,
    cache_ptr,
    count,
    context,
    HEADS: tl.constexpr,
    GROUPS: tl.constexpr,
    HALF: tl.constexpr,
):
    """Rotation of several tokens whose products are in ``joined`` (tokens, heads and groups, size)."""
    head, token = tl.program_id(0), tl.program_id(1)
    column = tl.arange(0, HALF)
    source = joined_ptr + (token * (HEADS + 2 * GROUPS) + head) * 2 * HALF + column
    one = tl.load(source).to(tl.float32)
    two = tl.load(source + HALF).to(tl.float32)
    place = tl.load(start_ptr) + token
    _turned_and_stored(
        one, two, head, column, place, token, cos_ptr, sin_ptr, q_ptr, cache_ptr, count, context, HEADS, GROUPS, HALF
    )


@triton.jit
def attention_part(
    q_ptr,
    cache_ptr,
    start_ptr,
    mixed_ptr,
    most_ptr,
    sum_ptr,
    scale,
    count,
    context,
    HEADS: tl.constexpr,
    GROUPS: tl.constexpr,
    SIZE: tl.constexpr,
    PARTS: tl.constexpr,
    QUERIES: tl.constexpr,
    BT: tl.constexpr,
    EARLY: tl.constexpr,
):
    """The attention of one group of heads to one part of the cache, with the logarithms to put the parts together."""
    group, part = tl.program_id(0), tl.program_id(1)
    rows = tl.arange(0, QUERIES)
    d = tl.arange(0, SIZE)
    start = tl.load(start_ptr)
    total = start + count
    length = tl.cdiv(tl.cdiv(total, PARTS), BT) * BT
    low = part * length
    high = tl.minimum(low + length, total)
    real = rows < (HEADS // GROUPS) * count
    at = group * (HEADS // GROUPS) * count + rows
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    q = tl.load(q_ptr + at[:, None] * SIZE + d[None, :], mask=real[:, None], other=0.0)
    most = tl.full((QUERIES,), -1e30, tl.float32)
    total_weight = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, SIZE), tl.float32)
    keys = cache_ptr + group.to(tl.int64) * context * SIZE
    values = cache_ptr + (group + GROUPS).to(tl.int64) * context * SIZE
    for begin in range(low, high, BT):
        t = begin + tl.arange(0, BT)
        cells = t[:, None] * SIZE + d[None, :]
        key = tl.load(keys + cells, mask=(t < high)[:, None], other=0.0)
        scores = tl.dot(q, tl.trans(key)) * scale
        seen = (t[None, :] <= start + rows[:, None] % count) & (t < high)[None, :]
        scores = tl.where(seen, scores, -1e30)
        now = tl.maximum(most, tl.max(scores, axis=1))
        weights = tl.where(seen, tl.exp2(scores - now[:, None]), 0.0)
        shrink = tl.exp2(most - now)
        total_weight = total_weight * shrink + tl.sum(weights, axis=1)
        value = tl.load(values + cells, mask=(t < high)[:, None], other=0.0)
        mixed = tl.dot(weights.to(value.dtype), value, mixed * shrink[:, None])
        most = now
    cell = part * HEADS * count + at
    tl.store(most_ptr + cell, most, mask=real)
    tl.store(sum_ptr + cell, total_weight, mask=real)
    tl.store(mixed_ptr + cell[:, None] * SIZE + d[None, :], mixed, mask=real[:, None])


@triton.jit
def attention_whole(
    mixed_ptr,
    most_ptr,
    sum_ptr,
    out_ptr,
    count,
    HEADS: tl.constexpr,
    SIZE: tl.constexpr,
    PARTS: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Put the parts of a head's attention together; ``out`` has the shape (tokens, heads, size)."""
    row = tl.program_id(0)
    parts = tl.arange(0, PARTS)
    cell = parts * HEADS * count + row
    if EARLY:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    most = tl.load(most_ptr + cell)
    share = tl.exp2(most - tl.max(most, axis=0))
    whole = tl.sum(tl.load(sum_ptr + cell) * share, axis=0)
    d = tl.arange(0, SIZE)
    mixed = tl.sum(tl.load(mixed_ptr + cell[:, None] * SIZE + d[None, :]) * share[:, None], axis=0) / whole
    head, m = row // count, row % count
    tl.store(out_ptr + (m * HEADS + head) * SIZE + d, mixed.to(out_ptr.dtype.element_ty))


@triton.jit
def gated(
    x_ptr,
    gain_ptr,
    w_ptr,
    bias_ptr,
    out_ptr,
    eps,
    K: tl.constexpr,
    INNER: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BIAS: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Norm, both products of the feed-forward part, and silu(gate) * up, of one token."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < INNER
    gate, up = _products(x_ptr, gain_ptr, w_ptr, row, row + INNER, ok, eps, K, BN, BK, NORM=True, TWO=True, EARLY=EARLY)
    if BIAS:
        gate += tl.load(bias_ptr + row, mask=ok, other=0.0).to(tl.float32)
        up += tl.load(bias_ptr + row + INNER, mask=ok, other=0.0).to(tl.float32)
    done = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(out_ptr + row, done.to(out_ptr.dtype.element_ty), mask=ok)


@triton.jit
def added(
    y_ptr,
    w_ptr,
    bias_ptr,
    x_ptr,
    rows,
    K: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    BIAS: tl.constexpr,
    EARLY: tl.constexpr,
):
    """Add the product of ``y`` and a matrix to ``x``, in place."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < rows
    found, _ = _products(y_ptr, y_ptr, w_ptr, row, row, ok, 0.0, K, BN, BK, NORM=False, TWO=False, EARLY=EARLY)
    if BIAS:
        found += tl.load(bias_ptr + row, mask=ok, other=0.0).to(tl.float32)
    found += tl.load(x_ptr + row, mask=ok, other=0.0).to(tl.float32)
    tl.store(x_ptr + row, found.to(x_ptr.dtype.element_ty), mask=ok)


@triton.jit
def scored(
    x_ptr,
    gain_ptr,
    w_ptr,
    out_ptr,
    eps,
    rows,
    K: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    EARLY: tl.constexpr,
):
    """The last norm and the output matrix of one token; ``out`` is float32."""
    row = tl.program_id(0) * BN + tl.arange(0, BN)
    ok = row < rows
    found, _ = _products(x_ptr, gain_ptr, w_ptr, row, row, ok, eps, K, BN, BK, NORM=True, TWO=False, EARLY=EARLY)
    tl.store(out_ptr + row, found, mask=ok)
