"""The HTTP backend against real sockets: servers that answer well, badly, slowly, or never."""

import json
import random
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.prompt.renderer import ContextPiece, PromptInput
from lsp_server.backends.base import Generation, Limits
from lsp_server.backends.http_backend import HttpBackend, ModelServer, plain
from lsp_server.errors import BackendProblem
from tests.support.http_model_server import STREAM, Answer, Handler, serving
from tests.support.tokenizers import bytes_tokenizer

PARTS = PromptInput("a.py", "x = ", "\ny = 2\n", (ContextPiece("b.py", "z = 1\n"),))


def ask(url: str, limits: Limits | None = None, **options: Any) -> Generation:
    backend = HttpBackend(ModelServer(url, **options))
    return backend.generate(backend.render(PARTS), limits or Limits(deadline=time.monotonic() + 5))


def test_a_stream_is_read_until_it_ends() -> None:
    with serving(lambda h: h.stream("comp", "ute(1", ")")) as (url, handler):
        made = ask(url, model="team")
    assert (made.text, made.reason) == ("compute(1)", "end")
    request = handler.seen[0]
    assert request["path"] == "/v1/completions"
    assert (request["model"], request["stream"], request["temperature"], request["stop"]) == ("team", True, 0, ["\n"])
    assert request["prompt"] == "# b.py\nz = 1\n\n\nx = "
    assert request["suffix"] == "\ny = 2\n"


def test_the_request_and_response_shapes_of_vllm(tmp_path: Path) -> None:
    """vLLM's documented completion stream, the adapter named as the model, the prompt as token ids."""
    config = {"architectures": ["LlamaForCausalLM"], "ondol_prompt_spec": "small-llama", "vocab_size": 272}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer("small-llama"))
    events = [
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "ondol-7",
            "choices": [{"index": 0, "text": "f(", "logprobs": None, "finish_reason": None, "stop_reason": None}],
            "usage": None,
        },
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "ondol-7",
            "choices": [{"index": 0, "text": "1)", "logprobs": None, "finish_reason": "stop", "stop_reason": None}],
            "usage": None,
        },
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "ondol-7",
            "choices": [],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
        },
    ]
    raw = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
    with serving(lambda h: h.body(raw, kind="text/event-stream; charset=utf-8")) as (url, handler):
        made = ask(url + "/v1", model="ondol-7", folder=tmp_path, token="t")
    assert made.text == "f(1)"
    request = handler.seen[0]
    assert request["path"] == "/v1/completions"
    assert request["model"] == "ondol-7"
    assert request["headers"]["Authorization"] == "Bearer t"
    control = {"<file_sep>": 260, "suffix": 258, "prefix": 257, "middle": 259}
    assert request["prompt"] == [
        260,
        *b"b.py\nz = 1\n",
        260,
        *b"a.py\n",
        control["suffix"],
        *b"\ny = 2\n",
        control["prefix"],
        *b"x = ",
        259,
    ]


def test_a_server_that_takes_no_ids_gets_text_from_then_on(tmp_path: Path) -> None:
    """What llama-cpp-python's server answers to ids, cut to its beginning."""
    config = {"architectures": ["LlamaForCausalLM"], "ondol_prompt_spec": "small-llama", "vocab_size": 272}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer.json").write_text(bytes_tokenizer("small-llama"))
    said = "4 validation errors:\n  {'type': 'string_type', 'loc': ('body', 'prompt', 'str'), 'msg': 'Input should be"

    def answer(handler: Handler) -> None:
        if isinstance(handler.seen[-1]["prompt"], list):
            handler.body(json.dumps({"error": {"message": said, "type": "internal_server_error"}}).encode(), 500)
        else:
            handler.stream("f(1)")

    with serving(answer) as (url, handler):
        backend = HttpBackend(ModelServer(url, folder=tmp_path))
        made = [backend.generate(backend.render(PARTS), Limits(deadline=time.monotonic() + 5)) for _ in range(2)]
    assert [m.text for m in made] == ["f(1)", "f(1)"]
    assert [type(request["prompt"]) for request in handler.seen] == [list, str, str]
    assert backend.about["format"] == "the server's"


def test_infill_of_llama_cpp() -> None:
    with serving(lambda h: h.stream("1", " + 1", key="content")) as (url, handler):
        made = ask(url, protocol="infill")
    assert made.text == "1 + 1"
    request = handler.seen[0]
    assert request["path"] == "/infill"
    assert (request["input_prefix"], request["input_suffix"]) == ("x = ", "\ny = 2\n")
    assert request["input_extra"] == [{"filename": "b.py", "text": "z = 1\n"}]


def test_one_answer_without_a_stream() -> None:
    with serving(lambda h: h.body(json.dumps({"choices": [{"text": "1\n2"}]}, indent=2).encode())) as (url, _):
        assert ask(url).text == "1"


def test_a_stop_hangs_up() -> None:
    with serving(lambda h: h.stream("a\n", *["b"] * 500, pause=0.01)) as (url, handler):
        assert ask(url).text == "a"
        assert handler.hung_up.wait(5)


def test_a_cancel_hangs_up() -> None:
    with serving(lambda h: h.stream(*["a"] * 500, pause=0.01)) as (url, handler):
        backend = HttpBackend(ModelServer(url))
        at = time.monotonic() + 0.2
        made = backend.generate(backend.render(PARTS), Limits(), lambda: time.monotonic() > at)
        assert made.reason == "cancelled"
        assert set(made.text) <= {"a"}
        assert handler.hung_up.wait(5)


def test_a_slow_stream_returns_its_text_at_the_deadline() -> None:
    with serving(lambda h: h.stream(*"abcdefgh", pause=0.15)) as (url, _):
        began = time.monotonic()
        made = ask(url, Limits(deadline=began + 0.4))
        assert time.monotonic() - began < 2
    assert made.reason == "time"
    assert "abcdefgh".startswith(made.text)


def test_a_server_that_never_answers_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        made = ask(f"http://127.0.0.1:{deaf.getsockname()[1]}", Limits(deadline=time.monotonic() + 0.2))
    assert (made.text, made.reason) == ("", "time")


BAD: dict[str, tuple[Answer, str]] = {
    "500": (lambda h: h.body(b"oops", 500), "status 500"),
    "404": (lambda h: h.body(b"{}", 404), "404"),
    "401": (lambda h: h.body(b"{}", 401), "access token"),
    "redirect": (lambda h: h.body(b"", 307, Location="http://127.0.0.1:9/"), "redirect, which is not followed"),
    "bad json": (lambda h: h.body(b"{{{"), "no usable answer"),
    "not an object": (lambda h: h.body(b"[1]"), "no usable answer"),
    "html": (lambda h: h.body(b"<html>", kind="text/html"), "no usable answer"),
    "wrong utf-8": (lambda h: h.body(b'{"choices":[{"text":"\xff"}]}'), "no usable answer"),
    "error in the stream": (lambda h: h.body(b'data: {"error": {"code": 1}}\n\n', kind=STREAM), "no usable answer"),
    "no stream": (lambda h: h.body(b"hello\n", kind="text/event-stream"), "no usable answer"),
    "text is a number": (lambda h: h.body(b'{"choices":[{"text":7}]}'), "no usable answer"),
    "ten megabytes": (lambda h: h.body(b'data: {"content": "' + b"a" * 10_000_000, kind=STREAM), "no usable answer"),
    "half a line": (lambda h: h.body(b'data: {"choi', kind="text/event-stream"), "no usable answer"),
    "closes at once": (lambda h: h.connection.close(), "no usable answer"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_answers_are_one_sentence_and_the_next_request_works(name: str) -> None:
    answer, message = BAD[name]
    bad = [True]

    def once(handler: Handler) -> None:
        if bad:
            bad.clear()
            answer(handler)
        else:
            handler.stream("fine")

    with serving(once) as (url, _):
        with pytest.raises(BackendProblem, match=message):
            ask(url)
        assert ask(url).text == "fine"


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(BackendProblem, match="cannot be reached"):
        ask(f"http://127.0.0.1:{port}")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(lambda h: h.stream("direct")) as (url, _):
        assert ask(url).text == "direct"


@pytest.mark.parametrize("url", ["ftp://a", "http://", "localhost:8000", "http://user:pw@host", ""])
def test_invalid_addresses_are_refused(url: str) -> None:
    with pytest.raises(BackendProblem, match="no address"):
        HttpBackend(ModelServer(url))


def test_missing_encryption_is_reported() -> None:
    assert HttpBackend(ModelServer("http://10.0.0.5:8000")).unencrypted
    assert not HttpBackend(ModelServer("http://localhost:8000")).unencrypted
    assert not HttpBackend(ModelServer("https://models.house")).unencrypted


def test_control_strings_are_removed_from_text() -> None:
    text = "a<|fim_middle|>b<fim_suffix>c<｜fim▁hole｜>d<PRE>e<[fim-middle]>f<file_sep>g<|endoftext|>h"
    assert plain(text) == "abcdefgh"


CONTROLS = (
    *(
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_pad|>",
        "<|file_sep|>",
        "<|repo_name|>",
        "<|endoftext|>",
        "<|im_start|>",
    ),
    *("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|python_tag|>", "<|reserved_special_token_7|>"),
    *(
        "<fim_prefix>",
        "<fim-middle>",
        "<file_sep>",
        "<gh_stars>",
        "<jupyter_code>",
        "<commit_before>",
        "<pr_diff_hunk>",
    ),
    *("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜tool▁calls▁begin｜>", "<|EOT|>"),
    *(
        "<[fim-suffix]>",
        "<[end▁of▁sentence]>",
        "<[PAD_TOKEN]>",
        "[INST]",
        "[/INST]",
        "[SUFFIX]",
        "[TOOL_CALLS]",
        "<<SYS>>",
    ),
    *("<s>", "</s>", "<PRE>", "<MID>", "<EOT>", "<bos>", "<start_of_turn>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>"),
    *(
        "<|assistant|>",
        "<|user|>",
        "<|end|>",
        "<|fim_hole|>",
        "<|mask:0|>",
        "<extra_id_0>",
        "<|channel|>",
        "<|return|>",
    ),
)


@given(st.lists(st.sampled_from(CONTROLS), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_nested_control_strings_leave_none(parts: list[str], rng: random.Random) -> None:
    text = ""
    for part in parts:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + part + text[at:]
    left = plain(f"a{text}b")
    assert not [control for control in CONTROLS if control in left], left
    assert plain(left) == left
    assert left[0] == "a" and left[-1] == "b"


def test_control_strings_nested_on_purpose_take_little_time() -> None:
    text = "<|fim_" * 2000 + "middle|>" * 2000
    left = plain(text)
    assert not [control for control in CONTROLS if control in left]


def test_code_that_looks_like_a_control_string_stays() -> None:
    for text in (
        "a <| b |> c",
        "Vec<[u8; 4]>",
        "list[int]",
        "x: <T>",
        "if a <b> c",
        "#include <filename.h>",
        "f<|x| x + 1>",
    ):
        assert plain(text) == text


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: certificates are NOT tested")
def test_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=127.0.0.1",
            "-days",
            "1",
            "-keyout",
            key,
            "-out",
            certificate,
        ],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with serving(lambda h: h.stream("x"), tls) as (url, handler), pytest.raises(BackendProblem, match="certificate"):
        ask(url)
    assert handler.seen == []
