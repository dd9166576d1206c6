"""An end that names another block than the open one is not kept, the right one is."""

import pytest

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted, Rejected
from lsp_server.types import Document

PROCESS = "architecture a of b is\nbegin\n  p : process (c) is\n  begin\n    d <= e;\n  ‸\nend architecture;\n"
LOOP = "architecture a of b is\nbegin\n  p : process (c) is\n  begin\n    for i in d loop\n      e;\n    ‸\n"
ROUTINE = "DO $$\nBEGIN\n  IF a THEN\n    FOR b IN c LOOP\n      d();\n    END LOOP;\n  ‸\nEND;\n$$;\n"
CALLS = "if(A)\n  foreach(b c)\n    if(d)\n    endif()\n  ‸\nendif()\n"
PAGE = "const a = () => (\n  <section>\n    <b-c\n      d={e}\n    >\n      f\n    ‸\n  </section>\n);\n"
FRAGMENT = "const a = () => (\n  <>\n    <div />\n  ‸\n);\n"

ENDS = [
    ("vhdl", PROCESS, ["end process;", "end process p;"], ["end if;", "end loop;", "end entity;"]),
    ("vhdl", LOOP, ["end loop;"], ["end process p;", "end if;", "end case;"]),
    ("vhdl", PROCESS.replace("‸", "end‸"), [" process p;"], [" if;", " case;"]),
    ("cmake", CALLS, ["endforeach()"], ["endif()", "endfunction()"]),
    ("sql", ROUTINE, ["END IF;"], ["END LOOP;", "end loop;"]),
    ("tsx", PAGE, ["</b-c>"], ["</section>", "</b>", "</>"]),
    ("tsx", FRAGMENT, ["</>"], ["</div>"]),
    ("javascript", PAGE, ["</b-c>"], ["</section>"]),
]


@pytest.mark.parametrize(("language", "text", "right", "wrong"), ENDS)
@pytest.mark.parametrize("automatic", [True, False])
def test_an_end_names_the_block_that_is_open(
    language: str, text: str, right: list[str], wrong: list[str], automatic: bool
) -> None:
    offset = text.index("‸")
    document = Document("file:///x", "x", language, 1, text.replace("‸", ""))
    for end in right:
        assert isinstance(Fitter().fit(document, offset, end, automatic=automatic), Fitted), end
    for end in wrong:
        assert isinstance(Fitter().fit(document, offset, end, automatic=automatic), Rejected), end


UNKNOWN = [
    ("vhdl", "architecture a of b is\n  function f(c : d)\n    return e is\n  begin\n  ‸\n", "end function;"),
    ("vhdl", "architecture a of b is\n  type t is record\n    c : d;\n  ‸\n", "end record t;"),
    ("cmake", "‸\n", "endif()"),
    ("sql", "IF a THEN\n  -- as in a loop\n  b();\n‸\n", "END IF;"),
    ("sql", "SELECT CASE a\n  WHEN b THEN c\nEND\n‸\n", "END IF;"),
    ("tsx", "const a = () => (\n  <b>{c &&\n    <d>\n  ‸\n", "</b>"),
    ("tsx", "const a = (\n  <b>\n    <c>d</c>\n  ‸\n", "</b>"),
]


@pytest.mark.parametrize(("language", "text", "end"), UNKNOWN)
def test_an_end_is_kept_where_the_open_block_is_not_known(language: str, text: str, end: str) -> None:
    offset = text.index("‸")
    document = Document("file:///x", "x", language, 1, text.replace("‸", ""))
    found = Fitter().fit(document, offset, end)
    assert not (isinstance(found, Rejected) and found.reason == "misplaced")
