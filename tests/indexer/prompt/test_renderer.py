"""Prompts, token by token: a byte is its own id in these tokenizers, so the expected ids can be read."""

import json
import random
import threading
import time
from dataclasses import replace

import pytest

from indexer.errors import UserError
from indexer.prompt.formats import LEFT_TO_RIGHT, detect, spec_named, stop_ids
from indexer.prompt.renderer import ContextPiece, PromptInput, Renderer
from indexer.prompt.tokenizer import Vocabulary
from tests.support.models import split_tokenizer
from tests.support.tokenizers import (
    CONFIGS,
    CONTROLS,
    bytes_tokenizer,
    codellama_tokenizer,
    plain_vocabulary,
    vocabulary,
)

PARTS = PromptInput("a.py", "def f(", "):\n", (ContextPiece("b.py", "x = 1"),), "house")


def render(family: str, parts: PromptInput = PARTS, limit: int = 400) -> list[int]:
    """The prompt's ids; token healing must not apply."""
    return list(Renderer(spec_named(family), vocabulary(family), limit, heal=False).render(parts).ids)


def written(family: str, *parts: str) -> list[int]:
    """Ids from a list in which entries that are control tokens of the family stand for their ids."""
    vocab = vocabulary(family)
    return [i for p in parts for i in ([vocab.controls[p]] if p in vocab.controls else list(p.encode()))]


GOLDEN = {
    "small-llama": (
        "<|file_sep|>",
        "b.py\nx = 1",
        "<|file_sep|>",
        "a.py\n",
        "<|fim_suffix|>",
        "):\n",
        "<|fim_prefix|>",
        "def f(",
        "<|fim_middle|>",
    ),
    "qwen2.5-coder": (
        "<|repo_name|>",
        "house\n",
        "<|file_sep|>",
        "b.py\nx = 1\n",
        "<|file_sep|>",
        "a.py\n",
        "<|fim_prefix|>",
        "def f(",
        "<|fim_suffix|>",
        "):\n",
        "<|fim_middle|>",
    ),
    "starcoder2": (
        "<repo_name>",
        "house",
        "<file_sep>",
        "b.py\nx = 1",
        "<file_sep>",
        "a.py\n",
        "<fim_prefix>",
        "def f(",
        "<fim_suffix>",
        "):\n",
        "<fim_middle>",
    ),
    "mellum": (
        "<filename>",
        "b.py\nx = 1",
        "<filename>",
        "a.py\n",
        "<fim_suffix>",
        "):\n",
        "<fim_prefix>",
        "def f(",
        "<fim_middle>",
    ),
    "granite-code": (
        "<filename>",
        "b.py\nx = 1\n",
        "<filename>",
        "a.py\n",
        "<fim_prefix>",
        "def f(",
        "<fim_suffix>",
        "):\n",
        "<fim_middle>",
    ),
    "seed-coder": (
        "<[begin▁of▁sentence]>",
        "<[fim-suffix]>",
        "):\n",
        "<[fim-prefix]>",
        "# b.py\nx = 1\n\n",
        "def f(",
        "<[fim-middle]>",
    ),
    "deepseek-coder": (
        "<｜begin▁of▁sentence｜>",
        "<｜fim▁begin｜>",
        "#b.py\nx = 1\n\n",
        "def f(",
        "<｜fim▁hole｜>",
        "):\n",
        "<｜fim▁end｜>",
    ),
}


@pytest.mark.parametrize("family", GOLDEN)
def test_the_prompt_of_each_family_is_exact_to_the_token(family: str) -> None:
    assert render(family) == written(family, *GOLDEN[family])


def test_codellama_has_the_spaces_of_its_paper() -> None:
    # `<PRE> {p} <SUF>{s} <MID>`: the blank before SUF and MID belongs to the token, the one after PRE to the text
    text = lambda s: [259 if c == " " else 3 + ord(c) for c in s]  # noqa: E731
    pre, mid, suf = 260, 261, 262
    parts = PromptInput("a.py", "x =", "\ny")
    assert render("codellama", parts) == [1, pre, *text(" x ="), suf, *text("\ny"), mid]
    assert render("codellama-spm", parts) == [1, pre, suf, *text("\ny"), mid, *text(" x =")]


def test_a_codellama_middle_keeps_its_leading_space() -> None:
    vocab = Vocabulary(codellama_tokenizer(), {"eos_token": "</s>"})
    assert vocab.decode(vocab.encode(" 1")) == " 1"
    assert vocab.decode(vocab.encode("1")) == "1"


HELD_LEFT_TO_RIGHT = {
    "if x:\n    ": ("if x:", "\n    "),
    "if x:\n\n\t": ("if x:", "\n\n\t"),
    "if x:\n": ("if x:", "\n"),
    "if x:\n    ret": ("if x:", "\n    ret"),
    "if x:\n    return ": ("if x:\n    return", " "),
    "x = ": ("x =", " "),
    "\n\n": ("", "\n\n"),
    "": ("", ""),
}


@pytest.mark.parametrize("prefix", HELD_LEFT_TO_RIGHT)
def test_left_to_right_holds_line_breaks_and_blanks_back_and_does_not_see_the_suffix(prefix: str) -> None:
    seen, held = HELD_LEFT_TO_RIGHT[prefix]
    vocab = plain_vocabulary()
    prompt = Renderer(LEFT_TO_RIGHT, vocab, 100).render(PromptInput("a.py", prefix, "unseen"))
    assert list(prompt.ids) == (
        list(seen.encode()) or [vocab.eos]
    )  # never empty: the model needs a token to go on from
    assert prompt.token_healing == held


def test_marks_are_held_back_with_their_line_break_where_the_tokenizer_joins_them() -> None:
    data = json.loads(bytes_tokenizer("small-llama"))
    data["model"]["vocab"] |= {")Ċ": 300, "):": 301, "):Ċ": 302}
    data["model"]["merges"] = [[")", "Ċ"], [")", ":"], ["):", "Ċ"]]
    data["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\w+|[^\w\s]+[\r\n]*|\s+"
    data["added_tokens"] = data["added_tokens"][:1]
    joined = Vocabulary(json.dumps(data), {"eos_token": "<|endoftext|>"})
    assert joined.joins_line_breaks and not plain_vocabulary().joins_line_breaks
    prompt = Renderer(LEFT_TO_RIGHT, joined, 100).render(PromptInput("a.py", "def f(x):\n    ", ""))
    assert (joined.decode(prompt.ids), prompt.token_healing) == ("def f(x", "):\n    ")


def test_a_server_that_cannot_be_forced_gets_the_line_break() -> None:
    prompt = Renderer(LEFT_TO_RIGHT, plain_vocabulary(), 100, heal=False).render(PromptInput("a", "x\n  ", ""))
    assert (bytes(prompt.ids), prompt.token_healing) == (b"x\n", "  ")


HELD = {
    "x = fo": " fo",
    "self.": ".",
    "self.ba": ".ba",
    "call(": "(",
    "if (a": " (a",
    "a->b": "->b",
    '= "ab': ' "ab',
    "return ": "",
    "x == ": "",
    "\n    ": "",
    "\n\treturn": "return",
    "": "",
    "\n": "",
    "1foo": "",
    "가나fo": "fo",
    "가나": "",
    "x" * 60: "",
}


@pytest.mark.parametrize("prefix", HELD)
def test_text_that_the_next_token_may_begin_with_is_left_to_token_healing(prefix: str) -> None:
    held = HELD[prefix]
    for family in ("small-llama", "deepseek-coder"):
        parts = PromptInput("a.py", prefix, ")\n", PARTS.context)
        prompt = Renderer(spec_named(family), vocabulary(family), 400).render(parts)
        assert prompt.token_healing == held
        assert list(prompt.ids) == render(family, replace(parts, prefix=prefix.removesuffix(held)))
    prompt = Renderer(LEFT_TO_RIGHT, plain_vocabulary(), 100).render(PromptInput("a", "x =  fo", ""))
    assert (bytes(prompt.ids), prompt.token_healing) == (b"x =", "  fo")


def test_the_ids_that_may_write_a_text_are_those_of_its_beginnings_and_of_what_begins_with_it() -> None:
    vocab = Vocabulary(split_tokenizer(), {"eos_token": "<|endoftext|>"})
    spelled = {i: vocab.decode([i]) for i in range(vocab.size)}
    for text in (" re", "(", "s", " ", "zq", "'"):
        expected = {i for i, t in spelled.items() if t and (t.startswith(text) or text.startswith(t))}
        found = vocab.writing(text)
        assert sorted(found) == sorted(expected) and len(set(found)) == len(found)
        assert vocab.control_ids.isdisjoint(found)


@pytest.mark.parametrize("family", CONFIGS)
def test_the_family_is_recognised_from_config_and_tokenizer(family: str) -> None:
    spec, problem = detect(CONFIGS[family], vocabulary(family))
    assert (spec.name, problem) == (family, None)


def test_a_tokenizer_without_fim_tokens_is_used_left_to_right_which_is_no_problem() -> None:
    assert detect({"architectures": ["LlamaForCausalLM"]}, plain_vocabulary()) == (LEFT_TO_RIGHT, None)


def test_a_format_that_the_config_names_and_the_tokenizer_lacks_is_reported() -> None:
    spec, problem = detect(CONFIGS["small-llama"], plain_vocabulary())
    assert spec is LEFT_TO_RIGHT
    assert problem is not None and "<|fim_prefix|>" in problem


def test_an_unknown_format_and_a_missing_token_are_the_users_to_cure() -> None:
    with pytest.raises(UserError, match="no prompt format"):
        spec_named("tabnine")
    with pytest.raises(UserError, match="no token <fim_prefix>"):
        Renderer(spec_named("mellum"), plain_vocabulary(), 100)


def test_a_tokenizer_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Vocabulary("{}")


@pytest.mark.parametrize("family", [*CONTROLS, "codellama"])
def test_no_text_becomes_a_control_token(family: str) -> None:
    """All control strings of all families in prefix, suffix, context and file names: only the template's ids remain."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    hostile = [c for controls in CONTROLS.values() for c in controls] + ["▁<PRE>", "<PRE>", "</s>", "<s>", "<unk>"]
    hostile += [c.upper() for c in hostile] + [c[:2] + "\u200b" + c[2:] for c in hostile]
    renderer = Renderer(spec_named(family), vocabulary(family), 900)
    ids = renderer.vocabulary.control_ids
    for _ in range(150):
        word = lambda: "".join(rng.choice([*hostile, " ", "\n", "x"]) for _ in range(rng.randrange(8)))  # noqa: E731
        pieces = tuple(ContextPiece(word(), word()) for _ in range(rng.randrange(3)))
        prompt = renderer.render(PromptInput(word(), word(), word(), pieces, word()))
        clean = renderer.render(PromptInput("a", "b", "c", (ContextPiece("d", "e" * 40),) * prompt.pieces, "f"))
        assert [i for i in prompt.ids if i in ids] == [i for i in clean.ids if i in ids]


def test_a_tag_of_html_is_text_unless_texts_begin_with_it() -> None:
    data = json.loads(bytes_tokenizer("small-llama"))
    tag = 1 + max(token["id"] for token in data["added_tokens"])
    data["added_tokens"].append({**data["added_tokens"][0], "id": tag, "content": "<s>", "special": False})
    data["model"]["vocab"]["<s>"] = tag  # as in Gemma
    assert Vocabulary(data).encode("a<s>") == [ord("a"), tag]
    begins = Vocabulary(data, {"add_bos_token": True, "bos_token": {"content": "<s>"}})
    assert begins.bos == (tag,) and begins.encode("a<s>") == list(b"a<s>")


def test_control_strings_survive_as_text() -> None:
    vocab = vocabulary("small-llama")
    text = "print('<|fim_middle|>') # <|endoftext|>"
    assert vocab.decode(vocab.encode(text)) == text


def test_a_vocabulary_that_merges_text_into_a_control_id_is_spelled_out() -> None:
    vocab = vocabulary("small-llama")
    vocab.reserve([ord("#")])  # as if '#' were a control token kept in the ordinary vocabulary
    assert ord("#") not in vocab.encode("a # b")


def test_file_names_that_are_not_utf8_are_encoded() -> None:
    assert render("mellum", PromptInput("b\udcff.py", "x", "")) != []


@pytest.mark.parametrize("family", [*CONTROLS, "codellama"])
def test_a_prompt_never_exceeds_its_limit(family: str) -> None:
    pieces = tuple(ContextPiece(f"lib/m{i}.py", "value = compute(value)\n" * 9) for i in range(9))
    for length in (0, 10, 5_000, 300_000):
        for line in ("x = [1, 2]\n", "x"):
            text = line * (length // len(line))
            prompt = Renderer(spec_named(family), vocabulary(family), 300).render(
                PromptInput("a.py", text, text, pieces)
            )
            assert len(prompt.ids) <= 300
            assert prompt.ids[-1] in vocabulary(family).controls.values()  # the frame is whole


def test_the_best_piece_comes_last_and_the_worst_is_dropped_first() -> None:
    pieces = tuple(ContextPiece(f"{name}.py", f"{name} = 1\n" * 4) for name in "abcdefgh")
    prompt = Renderer(spec_named("small-llama"), vocabulary("small-llama"), 300).render(
        PromptInput("z.py", "x" * 500, "", pieces)
    )
    text = vocabulary("small-llama").decode(prompt.ids)
    assert 0 < prompt.pieces < 8
    assert text.index("b.py") < text.index("a.py")
    assert "h.py" not in text


def test_a_keystroke_extends_the_prompt() -> None:
    """While a line is typed the ids stay what they were, but for the end; the window's start moves once in 8 lines."""
    body = "".join(f"    total_{i} = total_{i - 1} + price({i})\n" for i in range(200))
    typed = "    result = total_199 + price(200, tax=True)\n    return result\n"
    renderer = Renderer(spec_named("small-llama"), vocabulary("small-llama"), 1200)
    recomputed = []
    last: tuple[int, ...] = ()
    for at in range(len(typed)):
        ids = renderer.render(PromptInput("a.py", body + typed[:at], "\n# end\n" * 30)).ids
        same = next((i for i, (a, b) in enumerate(zip(ids, last, strict=False)) if a != b), min(len(ids), len(last)))
        recomputed.append((len(ids) - same) / len(ids))
        last = ids
    recomputed.sort()
    assert recomputed[len(recomputed) // 2] < 0.01
    assert sum(share > 0.1 for share in recomputed) <= 1 + len(typed) // 160 + 1


def test_a_training_sample_is_the_served_prompt_and_the_middle() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    text = "".join(f"def f{i}(a, b):\n    return a + b * {i}\n\n\n" for i in range(60))
    for family in [*CONTROLS, "codellama"]:
        training = Renderer(spec_named(family), vocabulary(family), 350)
        serving = Renderer(spec_named(family), vocabulary(family), 350)
        for _ in range(20):
            start = rng.randrange(len(text))
            stop = min(len(text), start + rng.randrange(60))
            parts = PromptInput("a.py", text[:start], text[stop:], PARTS.context)
            ids, target = training.training(parts, text[start:stop])
            assert tuple(ids[:target]) == serving.render(parts).ids
            assert training.vocabulary.decode(ids[target:]) == serving.render(parts).token_healing + text[start:stop]
            assert ids[-1] in stop_ids(spec_named(family), training.vocabulary)


def test_a_left_to_right_training_sample_writes_the_held_blanks() -> None:
    ids, target = Renderer(LEFT_TO_RIGHT, plain_vocabulary(), 100).training(PromptInput("a", "x =  ", ""), "1")
    assert bytes(ids[:target]) == b"x ="
    assert ids[target:] == [*b"  1", 256]


def test_long_texts_have_the_ids_of_short_ones() -> None:
    family = vocabulary("codellama")
    text = "".join(f"    total_{n} = 'é' + {n}\n" for n in range(200))
    half = text.index("\n", len(text) // 2) + 1
    assert len(text[:half]) > 512
    assert family.encode(text) == [token for line in text.splitlines(True) for token in family.encode(line)]
    assert family.decode(family.encode(text[:half] + "\ud800")) == text[:half] + "?"


def test_another_thread_runs_while_a_long_text_is_encoded() -> None:
    family, text = vocabulary("codellama"), "total = sum(values)\n" * 50_000
    began = time.perf_counter()
    family.encode(text)
    alone = time.perf_counter() - began
    encoding = threading.Thread(target=lambda: family.encode_with_offsets(text))
    encoding.start()
    longest, last = 0.0, time.perf_counter()
    while encoding.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < 0.7 * alone  # making lists of the result takes a part of it, and needs the interpreter


def test_the_first_tokens_of_a_text_are_found_anew_when_a_token_was_reserved() -> None:
    family = plain_vocabulary()
    token = family.writing("a")[0]
    family.reserve([token])
    assert token not in family.writing("a")


def test_context_that_stays_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer, texts = Renderer(spec_named("small-llama"), vocabulary("small-llama"), 400), list[str]()
    encode = Vocabulary.encode
    monkeypatch.setattr(Vocabulary, "encode", lambda self, text: texts.append(text) or encode(self, text))
    for typed, word in (("def f(", "once"), ("def f(a", "once"), ("def f(a", "other")):
        renderer.render(replace(PARTS, prefix=typed, context=(ContextPiece("b.py", word + " = 1\n" * 9),)))
    assert [sum(word in text for text in texts) for word in ("once", "other")] == [1, 1]
