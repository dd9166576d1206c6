"""Small sessions as developers have them: after two like edits the third is offered, over the real wire."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from lsp_server.commands.lsp_client import Client, edit
from tests.support.lsp_client import real

SESSIONS: dict[str, tuple[str, str, str]] = {
    "context argument first": (
        "go",
        """
        user, err := store.Find(id)
        log.Println(user)
        team, err := store.Team(id, true)
        _ = store.Close()
        err = store.Delete(team.ID)
        """,
        """
        user, err := store.Find(ctx, id)
        team, err := store.Team(ctx, id, true)
        err = store.Delete(ctx, team.ID)
        """,
    ),
    "helper replaces an idiom": (
        "ts",
        """
        const a = JSON.parse(JSON.stringify(config));
        run(a);
        const b = JSON.parse(JSON.stringify(options));
        run(b);
        const c = JSON.parse(JSON.stringify(state));
        """,
        """
        const a = structuredClone(config);
        const b = structuredClone(options);
        const c = structuredClone(state);
        """,
    ),
    "field renamed": (
        "java",
        """
        this.userName = name;
        int n = 0;
        return this.userName.length();
        void clear() {
            this.userName = "";
        """,
        """
        this.loginName = name;
        return this.loginName.length();
            this.loginName = "";
        """,
    ),
    "name in strings and comments": (
        "py",
        """
        # the walrus store
        walrus_count = 1
        total = walrus_count + 2
        log("walrus_count", walrus_count)
        """,
        """
        badger_count = 1
        total = badger_count + 2
        log("badger_count", badger_count)
        """,
    ),
    "enum members": (
        "c",
        """
        enum state {
            STATE_IDLE,
            STATE_BUSY,
            STATE_DONE,
        };
        """,
        """
            NODE_STATE_IDLE,
            NODE_STATE_BUSY,
            NODE_STATE_DONE,
        """,
    ),
    "ports of a module": (
        "sv",
        """
          input  logic        req_i,
          input  logic [31:0] addr_i,
          input  logic [31:0] wdata_i,
          output logic [31:0] rdata_o,
        """,
        """
          input  logic [Width-1:0] addr_i,
          input  logic [Width-1:0] wdata_i,
          output logic [Width-1:0] rdata_o,
        """,
    ),
    "connections of an instance": (
        "sv",
        """
            .clk_i   (clk),
            .rst_ni  (rst_n),
            .req_i   (req),
            .gnt_o   (gnt),
        """,
        """
            .rst_ni  (core_rst_n),
            .req_i   (core_req),
            .gnt_o   (core_gnt),
        """,
    ),
    "log call": (
        "py",
        """
        print("reading %s" % path)
        read()
        print("writing %s" % target)
        write()
        print("closing %s" % name)
        """,
        """
        log.info("reading %s", path)
        log.info("writing %s", target)
        log.info("closing %s", name)
        """,
    ),
    "null check inserted": (
        "c",
        """
            char *name = copy(user->name);
            use(name);
            char *mail = copy(user->mail);
            use(mail);
            char *city = copy(user->city);
        """,
        """
            char *name = copy(user->name);+    if (name == NULL) return -1;
            char *mail = copy(user->mail);+    if (mail == NULL) return -1;
            char *city = copy(user->city);+    if (city == NULL) return -1;
        """,
    ),
    "import path": (
        "ts",
        """
        import { open } from '../lib/files';
        import { get } from '../lib/http';
        import { list } from '../lib/lists';
        """,
        """
        import { open } from '@app/lib/files';
        import { get } from '@app/lib/http';
        import { list } from '@app/lib/lists';
        """,
    ),
    "type annotation": (
        "py",
        """
        def area(shape):
            return 1
        def edge(shape):
            return 2
        def name(shape):
            return 3
        """,
        """
        def area(shape: Shape):
        def edge(shape: Shape):
        def name(shape: Shape):
        """,
    ),
    "return type": (
        "py",
        """
        def area(shape, scale):
            return 1
        def edge(shape):
            return 2
        def name(self):
            return 3
        """,
        """
        def area(shape, scale) -> int:
        def edge(shape) -> int:
        def name(self) -> int:
        """,
    ),
    "await": (
        "ts",
        """
          const user = fetchUser(id);
          show(user);
          const team = fetchTeam(user.team);
          show(team);
          const pay = fetchPay(team, 2);
        """,
        """
          const user = await fetchUser(id);
          const team = await fetchTeam(user.team);
          const pay = await fetchPay(team, 2);
        """,
    ),
    "error wrapped": (
        "go",
        """
            return nil, err
        }
        b()
            return nil, err
        }
        c()
            return nil, err
        """,
        """
            return nil, wrap(err)
            return nil, wrap(err)
            return nil, wrap(err)
        """,
    ),
    "numbers that count": (
        "c",
        """
        #define FIRST 1
        #define SECOND 2
        #define THIRD 3
        #define FOURTH 4
        """,
        """
        #define SECOND 12
        #define THIRD 13
        #define FOURTH 14
        """,
    ),
    "optional chaining": (
        "ts",
        """
        const a = user.address.city;
        run();
        const b = user.address.street;
        run();
        const c = user.address.country;
        """,
        """
        const a = user.address?.city;
        const b = user.address?.street;
        const c = user.address?.country;
        """,
    ),
    "visibility": (
        "java",
        """
            public int size() {
            }
            public String name() {
            }
            public List<String> all(int n) {
        """,
        """
            protected int size() {
            protected String name() {
            protected List<String> all(int n) {
        """,
    ),
    "pointer access": (
        "c",
        """
        x = node.left;
        go(x);
        y = node.right;
        go(y);
        z = node.parent;
        """,
        """
        x = node->left;
        y = node->right;
        z = node->parent;
        """,
    ),
    "korean names": (
        "py",
        """
        합계 = 계산(가격)
        print(합계)
        평균 = 계산(수량)
        print(평균)
        최대 = 계산(목록[0])
        """,
        """
        합계 = 계산(가격, 세율)
        평균 = 계산(수량, 세율)
        최대 = 계산(목록[0], 세율)
        """,
    ),
    "parameter at calls with very different arguments": (
        "py",
        """
        total = compute(items, rate)
        print(total)
        first = compute(cart.items[0], {"de": 1, "kr": 2}, key=lambda one: one[1])
        print(first)
        return [compute(other) for other in carts if other]
        """,
        """
        total = compute(items, rate, tax=0)
        first = compute(cart.items[0], {"de": 1, "kr": 2}, key=lambda one: one[1], tax=0)
        return [compute(other, tax=0) for other in carts if other]
        """,
    ),
    "arguments that change places": (
        "java",
        """
        assertEquals(3, list.size());
        run();
        assertEquals("abc", parser.parse(text).name());
        run();
        assertEquals(Color.RED, new Car(1, 2).color());
        """,
        """
        assertThat(list.size()).isEqualTo(3);
        assertThat(parser.parse(text).name()).isEqualTo("abc");
        assertThat(new Car(1, 2).color()).isEqualTo(Color.RED);
        """,
    ),
    "method becomes an operator": (
        "py",
        """
        self.assertEqual(total, 3)
        run()
        self.assertEqual(f(1, 2), [3])
        run()
        self.assertEqual(user.name, "x")
        """,
        """
        assert total == 3
        assert f(1, 2) == [3]
        assert user.name == "x"
        """,
    ),
    "what a method is called on": (
        "java",
        """
        if (a.equals(b)) {
        }
        if (user.name().equals(other.get(1, 2))) {
        }
        return x || this.path.equals(that.path);
        """,
        """
        if (Objects.equals(a, b)) {
        if (Objects.equals(user.name(), other.get(1, 2))) {
        return x || Objects.equals(this.path, that.path);
        """,
    ),
    "constructor becomes a factory": (
        "java",
        """
        Money a = new Money(3, EUR);
        run();
        Money b = new Money(f(1), g.unit(2)).plus(a);
        run();
        return new Money(x.y, z[1]);
        """,
        """
        Money a = Money.of(3, EUR);
        Money b = Money.of(f(1), g.unit(2)).plus(a);
        return Money.of(x.y, z[1]);
        """,
    ),
    "line deleted": (
        "py",
        """
        debug(a)
        x = 1
        debug(b)
        y = 2
        debug(c)
        """,
        """
        debug(a)-
        debug(b)-
        debug(c)-
        """,
    ),
    "keys of a table": (
        "ts",
        """
          name: 'text',
          size: 'number',
          mail: 'text',
          when: 'date',
        """,
        """
          name: field('text'),
          size: field('number'),
          mail: field('text'),
        """,
    ),
}


def plain(text: str) -> list[str]:
    """The lines of a text, without the indentation of this file."""
    return [line[8:] for line in text.strip("\n").split("\n")][:-1]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, dict[str, Path]]]:
    """One server; each session has a folder and so edits of its own."""
    folder = tmp_path_factory.mktemp("sessions")
    roots = {name: folder / name.replace(" ", "-") for name in SESSIONS}
    for root in roots.values():
        root.mkdir()
    with real(folder) as started:
        started.initialize([*roots.values()], encodings=["utf-16"], options={"nextEdits": True})
        yield started, roots


@pytest.mark.parametrize("name", SESSIONS)
def test_after_two_like_edits_the_third_is_offered(name: str, client: tuple[Client, dict[str, Path]]) -> None:
    ending, text, wanted = SESSIONS[name]
    server, roots = client
    uri = (roots[name] / f"session.{ending}").as_uri()
    lines, version = plain(text), 1
    server.open(uri, "\n".join([*lines, ""]))
    after, at = plain(wanted), -1
    for target in after[:2]:
        at = place_of(lines, target, at)
        new = changed(target)
        version += 1
        server.change(uri, version, edit(at, 0, "".join(f"{line}\n" for line in new), end=(at + 1, 0)))
        lines[at : at + 1] = new
    at = place_of(lines, after[2], at)
    ask = {"textDocument": {"uri": uri, "version": version}, "position": {"line": at, "character": 0}}
    found: list[dict[str, Any]] = server.request("textDocument/copilotInlineEdit", ask)["edits"]
    assert found, f"nothing is offered for {lines[at]!r}"
    assert applied(lines, found[0]) == [*lines[:at], *changed(after[2]), *lines[at + 1 :]]


def changed(target: str) -> list[str]:
    """The lines that a line becomes: one, with a line inserted below it (+), or none (-)."""
    if target.endswith("-"):
        return []
    return target.split("+") if "+    if" in target else [target]


def place_of(lines: list[str], target: str, after: int) -> int:
    """The line behind another one that becomes the target: the first of those that are most like it."""
    first = target[:-1] if target.endswith("-") else changed(target)[0]
    likeness = [SequenceMatcher(None, line, first).ratio() * (at > after) for at, line in enumerate(lines)]
    return likeness.index(max(likeness))


def applied(lines: list[str], offer: dict[str, Any]) -> list[str]:
    """The lines after an offer."""
    start, end = offer["range"]["start"], offer["range"]["end"]
    every = [*lines, ""]
    head, tail = every[start["line"]][: start["character"]], every[end["line"]][end["character"] :]
    every[start["line"] : end["line"] + 1] = (head + offer["text"] + tail).split("\n")
    return every[:-1]
