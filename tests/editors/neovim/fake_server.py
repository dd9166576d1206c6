"""A small language server with known answers and known faults.

It follows the project's LSP contract over stdio and needs only Python. The text before the cursor decides the answer
(ANSWERS). FAKE_FAULT chooses a fault: "crash" (ends at once), "silent" (never answers), "old" (an unsupported version),
"bare" (has no inline completion), "early" (an early version, without the commands that came later). Every event becomes a line of JSON in the file FAKE_LOG.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

ANSWERS = {
    "def add(": "a, b):\n    return a + b",
    "x = long": "long_name(first, second)\n    third = fourth",
    "greet(": "이름, 'hello 🙂')",
    "tab(": "1):\n\treturn 2",
    "late(": "too_late)",
    "wait(": "patience)",
    "whole(": "a, b)",
    "alts(": "one)",
    "pair(": "left, right)",
    "block(": "\n    inner,\n",
}
COMMANDS = [
    "ondol.accepted",
    "ondol.explain",
    "ondol.dismissed",
    "ondol.editDismissed",
    "ondol.repeatEdit",
    "fake.edit",
]
# The next edits: while a document contains the word "new_name", each of these lines of it is to be changed.
EDITED = "new_name"
REPLACED = {
    "old_name": "new_name",
    "split_me": "first = 1\n    second = 2",
    "remove_me": None,
    "grow_me": "grow_me\n# grown",
}
SLOW = {"late(": 0.7, "wait(": 0.4}

FAULT = os.environ.get("FAKE_FAULT", "")
write_lock = threading.Lock()
log_lock = threading.Lock()


def log(event: str, **fields: Any) -> None:
    """Append an event to the log."""
    path = os.environ.get("FAKE_LOG")
    if path:
        with log_lock, Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")


def send(message: dict[str, Any]) -> None:
    """Write a framed message."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    with write_lock:
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        sys.stdout.buffer.flush()


def receive() -> dict[str, Any] | None:
    """Read a framed message. Return None at the end of the stream."""
    length = 0
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return None
        if line == b"\r\n":
            return json.loads(sys.stdin.buffer.read(length))
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)


def units(text: str) -> int:
    """Return the length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str, units_: int) -> int:
    """Return the index of a UTF-16 column."""
    return len(text.encode("utf-16-le")[: 2 * units_].decode("utf-16-le", "ignore"))


class Server:
    """The open documents and the answers."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.count = 0
        self.last: dict[str, int] = {}
        self.cancelled: set[Any] = set()
        self.edits: dict[str, tuple[str, str]] = {}
        self.refused: set[tuple[str, str]] = set()
        self.versions: dict[str, int] = {}
        self.next_edits = False

    def change(self, params: dict[str, Any]) -> None:
        """Apply content changes, full or incremental."""
        uri = params["textDocument"]["uri"]
        for change in params["contentChanges"]:
            if "range" not in change:
                self.texts[uri] = change["text"]
                continue
            lines = self.texts[uri].split("\n")
            start, end = change["range"]["start"], change["range"]["end"]
            lines += [""] * (end["line"] + 1 - len(lines))
            first, last = lines[start["line"]], lines[end["line"]]
            middle = first[: cut(first, start["character"])] + change["text"] + last[cut(last, end["character"]) :]
            lines[start["line"] : end["line"] + 1] = middle.split("\n")
            self.texts[uri] = "\n".join(lines)

    def items(self, uri: str, position: dict[str, int], kind: int) -> list[dict[str, Any]] | None:
        """Return the answer for a position."""
        line_number, character = position["line"], position["character"]
        line = (self.texts.get(uri, "").split("\n") + [""] * (line_number + 1))[line_number].rstrip("\r")
        before, after = line[: cut(line, character)], line[cut(line, character) :]
        log("ask", before=before, after=after, kind=kind, line=line_number)
        if before.endswith("null("):
            return None
        if before.endswith("die("):
            os._exit(3)
        key = next((key for key in ANSWERS if before.endswith(key)), None)
        bad = {
            "badline(": (line_number + 3, 0, line_number + 3, 1),
            "badend(": (line_number, 0, line_number, 5000),
            "badstart(": (line_number, character + 1, line_number, character + 1),
            "badtwo(": (line_number, 0, line_number + 1, 0),
            "badnumber(": (line_number, -1, line_number, character),
        }
        wrong = next((key for key in bad if before.endswith(key)), None)
        if wrong:
            first, start, last, end = bad[wrong]
            range_ = {"start": {"line": first, "character": start}, "end": {"line": last, "character": end}}
            return [self.item(before + "never shown", range_)]
        if before.endswith("other("):
            return [self.item("something else entirely", self.range(line_number, 0, character))]
        if (
            before.strip() == ""
            and line_number
            and self.texts[uri].split("\n")[line_number - 1].rstrip("\r").endswith("# indent")
        ):
            return [self.item("    indented()", self.range(line_number, 0, character))]
        if key is None:
            return []
        if key == "x = long":
            key, before_key = "long", before[: -len("long")]
            text = before_key + ANSWERS["x = long"]
        else:
            text = before + ANSWERS[key]
        end = character + (1 if after.startswith(")") and key in ("whole(", "pair(") else 0)
        result = [self.item(text, self.range(line_number, 0, end))]
        if key == "alts(" and kind == 1:
            result += [self.item(before + more, self.range(line_number, 0, end)) for more in ("two)", "three)")]
        return result

    def places(self, text: str) -> list[tuple[int, str, str | None]]:
        """Return the lines that are to be changed, each with its new text, or None to remove it."""
        lines = text.replace("\r", "").split("\n")
        found = [(row, next((old for old in REPLACED if old in line), None)) for row, line in enumerate(lines)]
        if EDITED not in text:
            return []
        return [
            (
                row,
                lines[row].rstrip("\r"),
                None if REPLACED[old] is None else lines[row].replace(old, REPLACED[old] or ""),
            )
            for row, old in found
            if old is not None and lines[row].replace(old, REPLACED[old] or "") != lines[row]
            if f"{lines[row]}\n# grown" not in "\n".join(lines)
        ]

    def next_edit(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the edit that is nearest to the cursor, in this document or else in FAKE_OTHER."""
        uri, row = params["textDocument"]["uri"], params["position"]["line"]
        version, kind = params["textDocument"]["version"], params["context"]["triggerKind"]
        log("askedit", uri=uri, version=version, line=row, kind=kind)
        own = [(uri, *place) for place in self.places(self.texts.get(uri, ""))]
        own = [place for place in own if (uri, place[2]) not in self.refused]
        own.sort(key=lambda place: (abs(place[1] - row), place[1]))
        other = os.environ.get("FAKE_OTHER")
        if other and not own and EDITED in self.texts.get(uri, ""):
            path = Path(other)
            text = self.texts.get(path.as_uri(), path.read_text(encoding="utf-8"))
            own = [(path.as_uri(), *place) for place in self.places(text + "\n" + EDITED)]
        if not own:
            return []
        target, line, old, new = own[0]
        self.count += 1
        number = f"edit-{self.count}"
        self.edits[number] = (target, old)
        end = {"line": line + 1, "character": 0} if new is None else {"line": line, "character": units(old)}
        if FAULT == "badedit":
            end = {"line": line + 5000, "character": 0}
        version = self.versions.get(target, None if target != uri else params["textDocument"]["version"])
        return [
            {
                "text": new or "",
                "textDocument": {"uri": target, "version": version - 1 if FAULT == "oldedit" and version else version},
                "range": {"start": {"line": line, "character": 0}, "end": end},
                "command": {"title": "accept", "command": "fake.edit", "arguments": [number]},
            }
        ]

    def repeat(self) -> dict[str, Any] | None:
        """Return all places in all open documents and in FAKE_OTHER."""
        texts = dict(self.texts)
        other = os.environ.get("FAKE_OTHER")
        if other:
            texts.setdefault(Path(other).as_uri(), Path(other).read_text(encoding="utf-8"))
        if not any(EDITED in text for text in texts.values()):
            return None
        files = []
        for uri, text in sorted(texts.items()):
            edits = [
                {
                    "range": {
                        "start": {"line": row, "character": 0},
                        "end": {"line": row, "character": units(old)},
                    },
                    "newText": new,
                    "oldText": old,
                    "probability": 0.9 if row % 2 == 0 else 0.3,
                }
                for row, old, new in self.places(text + "\n" + EDITED)
                if new is not None
            ]
            if edits:
                files.append({"uri": uri, "path": uri.rsplit("/", 1)[1], "edits": edits})
        return {"title": "old_name to new_name", "files": files}

    @staticmethod
    def range(line: int, start: int, end: int) -> dict[str, Any]:
        """Return a range on one line."""
        return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}

    def item(self, text: str, range_: dict[str, Any]) -> dict[str, Any]:
        """Return an item with the accept command."""
        self.count += 1
        command = {"title": "accepted", "command": "ondol.accepted", "arguments": [{"id": f"fake-{self.count}"}]}
        return {"insertText": text, "range": range_, "command": command}

    def inline(self, number: Any, params: dict[str, Any]) -> None:
        """Answer a request, with a delay for some texts. As a fault, replaced requests are answered as well."""
        uri = params["textDocument"]["uri"]
        items = self.items(uri, params["position"], params["context"]["triggerKind"])
        line = (self.texts.get(uri, "").split("\n") + [""] * 999999)[params["position"]["line"]]
        before = line[: cut(line, params["position"]["character"])]
        wait = next((seconds for key, seconds in SLOW.items() if before.endswith(key)), 0.0)

        def reply() -> None:
            log("reply", before=before, cancelled=number in self.cancelled)
            if before.endswith("error("):
                send({"id": number, "error": {"code": -32603, "message": "an intended fault"}})
            else:
                send({"id": number, "result": None if items is None else {"items": items}})

        if wait:
            threading.Timer(wait, reply).start()
        else:
            reply()

    def handle(self, message: dict[str, Any]) -> bool:
        """Handle a message. Return False to end the server."""
        method, params, number = message.get("method"), message.get("params"), message.get("id")
        if method == "initialize":
            if FAULT == "silent":
                return True
            capabilities: dict[str, Any] = {"textDocumentSync": 2, "positionEncoding": "utf-16"}
            if FAULT != "bare":
                capabilities |= {
                    "inlineCompletionProvider": {},
                    "executeCommandProvider": {"commands": COMMANDS[: 2 if FAULT == "early" else None]},
                }
            options = params.get("initializationOptions") or {}
            self.next_edits = options.get("nextEdits") is True
            log("initialize", root=params.get("rootUri"), options=params.get("initializationOptions"))
            version = "0.0.1" if FAULT == "old" else "0.1.0"
            send(
                {
                    "id": number,
                    "result": {"capabilities": capabilities, "serverInfo": {"name": "ondol", "version": version}},
                }
            )
        elif method == "initialized":
            send({"method": "ondol/status", "params": {"state": "indexing", "message": "reading", "percent": 42}})
            if not os.environ.get("FAKE_STAY_INDEXING"):
                send(
                    {
                        "method": "ondol/status",
                        "params": {"state": "ready", "message": "", "documents": 7, "generation": 1},
                    }
                )
        elif method == "textDocument/didOpen":
            document = params["textDocument"]
            self.texts[document["uri"]] = document["text"]
            self.versions[document["uri"]] = document["version"]
            log("open", uri=document["uri"], language=document["languageId"])
        elif method == "textDocument/didChange":
            self.change(params)
            uri = params["textDocument"]["uri"]
            self.versions[uri] = params["textDocument"]["version"]
            if self.next_edits and EDITED in self.texts[uri]:
                send({"method": "ondol/nextEditReady", "params": {"uri": uri}})
        elif method == "textDocument/didClose":
            self.texts.pop(params["textDocument"]["uri"], None)
            log("close", uri=params["textDocument"]["uri"])
        elif method == "textDocument/inlineCompletion":
            self.inline(number, params)
        elif method == "textDocument/copilotInlineEdit":
            result = {"edits": self.next_edit(params)}
            delay = float(os.environ.get("FAKE_EDIT_DELAY", "0"))
            threading.Timer(delay, send, [{"id": number, "result": result}]).start()
        elif method == "textDocument/didShowInlineEdit":
            log("showedit", id=params["item"]["command"]["arguments"][0])
        elif method == "$/cancelRequest":
            self.cancelled.add(params["id"])
            log("cancel")
        elif method == "workspace/executeCommand":
            log("command", command=params["command"], arguments=params.get("arguments"))
            if params["command"] == "ondol.editDismissed":
                self.refused.add(self.edits[params["arguments"][0]])
            repeated = self.repeat() if params["command"] == "ondol.repeatEdit" else None
            results = {"ondol.explain": "# Why\n\nBecause.", "fake.texts": self.texts, "ondol.repeatEdit": repeated}
            send({"id": number, "result": results.get(params["command"])})
        elif method in ("textDocument/didShowCompletion", "textDocument/didPartiallyAcceptCompletion"):
            log(
                method.split("/")[1],
                id=params["item"]["command"]["arguments"][0]["id"],
                length=params.get("acceptedLength"),
            )
        elif method == "shutdown":
            send({"id": number, "result": None})
        elif method == "exit":
            return False
        elif number is not None and method:
            send({"id": number, "error": {"code": -32601, "message": method}})
        return True


def main() -> None:
    """Handle messages until the stream ends."""
    if "--version" in sys.argv:
        print("ondol, version 0.0.1" if FAULT == "old" else "ondol, version 0.1.0")
        return
    if "doctor" in sys.argv:
        print("no problems found")
        return
    log("start", pid=os.getpid(), arguments=sys.argv[1:])
    if FAULT == "crash":
        sys.stderr.write("the fake server fails intentionally\n")
        sys.exit(7)
    server = Server()
    while (message := receive()) is not None:
        if not server.handle(message):
            break
    os._exit(0)


if __name__ == "__main__":
    main()
