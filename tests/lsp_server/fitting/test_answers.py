"""Answers of models and servers are cleaned, and every cut has a name."""

import pytest

from lsp_server.fitting.answers import LONGEST_LINE, cleaned


@pytest.mark.parametrize(
    ("text", "line", "expected", "cut"),
    [
        ("foo(a)</s>bar", "", "foo(a)", ("control-string",)),
        ("x = 1<|fim_middle|>y", "", "x = 1", ("control-string",)),
        ("a<\uff5cfim\u2581begin\uff5c>", "", "a", ("control-string",)),
        ("```python\nx = 1\n```\nThis code", "", "x = 1", ("fence",)),
        ("a\r\nb\rc", "", "a\nb\nc", ("line-ends",)),
        ("\x1b[31mred\x1b[0m", "", "red", ("characters",)),
        ("a\u202eb\u200bc\x07\ufeff", "", "abc", ("characters",)),
        ("a\ud800b", "", "ab", ("characters",)),
        ("a<|im_\u200bend|>b", "", "a", ("characters", "control-string")),
        ("a<|\u202eendof\x07text|>b", "", "a", ("characters", "control-string")),
        ("a()<|endof", "", "a()", ("control-string",)),
        ("a()<fim_mid", "", "a()", ("control-string",)),
        ("a()</s", "", "a()", ("control-string",)),
        ("\x9b31mred\x9b0m", "", "red", ("characters",)),
        ("\x1b]0;title\x07a\x1bPq\x1b\\b\x1b(Bc", "", "abc", ("characters",)),
        ("a\u2066b\u2069c\U000e0061\u00ad\u3164", "", "abc", ("characters",)),
        ("return x", "    return ", "x", ("repeated-line-start",)),
        ("x = max(a, b)", "x = max(", "a, b)", ("repeated-line-start",)),
        ("max(a, b), c)", "max(", "max(a, b), c)", ()),
        ("returned = 1", "return", "returned = 1", ()),
        ("a()\n" * 5, "", "a()", ("repetition",)),
        ("a()\nb()\n" * 4, "", "a()\nb()", ("repetition",)),
        ("name, " * 30, "", "name, ", ("repetition",)),
        ("0, " * 100, "x = [", "0, ", ("repetition",)),
        ("a\n\n\n\n\n\nb", "", "a", ("repetition",)),
        ("".join(f"x{n}();\n" for n in range(9)) * 3, "", "\n".join(f"x{n}();" for n in range(9)), ("repetition",)),
        ("# " + "=" * 70, "", "# " + "=" * 70, ()),
        ("Here is the code:\n```python\nx = 1\n```", "", "x = 1", ("fence",)),
        ("x = 1```", "", "x = 1", ("fence",)),
        ("x = 1 ```", "", "x = 1", ("fence",)),
        ("x = 1\u2581<EOT>", "", "x = 1", ("control-string",)),
        ("a\u2028b\x85c\x0c", "", "a\nb\nc", ("line-ends",)),
        ("return\u00a0x\u3000+ 1", "", "return x + 1", ("characters",)),
        ("0, 0, 0, 0, 0]", "x = [", "0, 0, 0, 0, 0]", ()),
        ("a\n" + "b" * (LONGEST_LINE + 1), "", "a", ("length",)),
        ("    값 = 확인(세션)", "", "    값 = 확인(세션)", ()),
    ],
)
def test_what_is_cut(text: str, line: str, expected: str, cut: tuple[str, ...]) -> None:
    assert cleaned(text, line, "python") == (expected, cut)


@pytest.mark.parametrize(
    "control",
    [
        *("<fim_prefix>", "<|fim_pad|>", "<|end_of_text|>", "<|start_of_role|>", "<|tool_call|>", "<|endoftext|>"),
        *("<|repo_name|>", "<|file_sep|>", "<|im_start|>", "<|im_end|>", "[SUFFIX]", "[PREFIX]", "[MIDDLE]", "[INST]"),
        *("</s>", "<[fim-suffix]>", "<[fim-middle]>", "<[begin\u2581of\u2581sentence]>", "<filename>", "<reponame>"),
        *("<gh_stars>", "<issue_start>", "<jupyter_start>", "<commit_before>", "<file_sep>", "<repo_name>"),
        *("<\uff5cfim\u2581hole\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<\uff5cUser\uff5c>", "<|EOT|>"),
        *("<|file_separator|>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<|eot_id|>", "<|eom_id|>"),
        *("<|python_tag|>", "<|start_header_id|>", "<PRE>", "<SUF>", "<MID>", "<EOT>", "<think>", "<tool_call>"),
    ],
)
def test_control_strings_of_every_family_end_a_text(control: str) -> None:
    assert cleaned(f"foo(a){control}bar", "", "python") == ("foo(a)", ("control-string",))


@pytest.mark.parametrize("text", ["a <| b |> c", "x<[i]>", "if a || b", "std::vector<file>", "f(<div>)", "a = [INPUT]"])
def test_code_that_looks_alike_is_no_control_string(text: str) -> None:
    assert cleaned(text, "", "cpp") == (text, ())


def test_what_the_document_holds_as_text_is_no_control_string() -> None:
    assert cleaned("</s>", "", "html", "<p><s>old</s></p>") == ("</s>", ())


def test_a_blank_that_the_document_holds_is_kept() -> None:
    assert cleaned("# 1\u00a0km", "", "python", "# 2\u00a0km") == ("# 1\u00a0km", ())


def test_fences_are_text_in_markdown() -> None:
    assert cleaned("```python\nx\n```", "", "markdown") == ("```python\nx\n```", ())
