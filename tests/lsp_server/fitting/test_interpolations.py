"""Code within strings: what a text leaves open there."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.interpolations import leaves_code_open
from lsp_server.types import Document

CASES = [
    ("elixir", '  text(conn, "host #{c', 'onn.params["', 'onn.params["id"]'),
    ("ruby", '  puts "host #{c', "onn.fetch(", "onn.fetch(:id)"),
    ("javascript", "  log(`host ${c", "onn.params['", "onn.params['id']"),
    ("typescript", "  log(", "`host ${conn[", "`host ${conn[0]}`"),
    ("kotlin", '  log("host ${c', 'onn.params["', 'onn.params["id"]'),
    ("swift", '  log("host \\(c', "onn.params(", "onn.params(1)"),
    ("php", '  log("host {$c', "onn['", "onn['id']"),
    ("python", '  log(f"host {c', "onn['", "onn['id']"),
    ("csharp", '  Log($"host {c', "onn[", "onn[0]"),
    ("hcl", '  name = "host-${v', "ar.names[", "ar.names[0]"),
]


@pytest.mark.parametrize(("language", "prefix", "opens", "closes"), CASES)
def test_a_text_does_not_end_with_what_it_opens_in_code_within_a_string(
    language: str, prefix: str, opens: str, closes: str
) -> None:
    assert leaves_code_open(language, prefix, opens)
    assert not leaves_code_open(language, prefix, closes)


def test_what_was_open_before_the_text_may_stay_open() -> None:
    assert not leaves_code_open("elixir", '  text(conn, "host #{conn.params["', "id")
    assert not leaves_code_open("elixir", '  text(conn, "host #{', "conn")
    assert not leaves_code_open("elixir", '  text(conn, "host #{conn.host', '}", 1')


def test_strings_without_code_are_left_to_the_other_reading() -> None:
    assert not leaves_code_open("python", '  log("host {c', "onn['")
    assert not leaves_code_open("python", '  log(f"host {{c', "onn['")
    assert not leaves_code_open("javascript", "  log('host ${c", 'onn["')
    assert not leaves_code_open("ruby", '  a = 1 # it"s #{c', "onn[")
    assert not leaves_code_open("c", '  log("host ${c', "onn[")


def test_the_server_shows_no_such_beginning_of_a_line() -> None:
    text = 'defmodule A do\n  def host(conn), do: text(conn, "host #{c\nend\n'
    fitter, document = Fitter(), Document("file:///a.ex", "a.ex", "elixir", 1, text)
    fitter.update(document)
    at = text.index("#{c") + 3
    assert not fitter.may_end(document, at, 'onn.params["')
    assert fitter.may_end(document, at, "onn.params")
