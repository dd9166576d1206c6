"""The web server of ``ondol dashboard``: its pages reach only this user's browser, and load nothing from elsewhere.

It listens on a loopback address. The address that is printed holds a token; the first request with it sets a cookie.
Every request must name this server as its ``Host`` (a page of another site that points its name at this machine does
not) and, where it has an ``Origin`` or a browser says which site made it (``Sec-Fetch-Site``), come from this one. One
thing can be changed over it: which adapter is current. That takes a POST to ``/models`` with this server as its
``Origin``, the cookie, and a second token that stands only in the question on that page. It is answered with a
redirect, so that a browser that reloads changes nothing again.
"""

import hmac
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from finetune.dashboard.code_pages import CodePages, Query
from finetune.dashboard.figures import Figures
from finetune.dashboard.page import Page
from indexer.text.printable import printable

LOOPBACK: Final = "127.0.0.1"
MODELS: Final = "/models"

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "Referrer-Policy": "same-origin",  # with "no-referrer", browsers name no origin in a POST
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LONGEST_ANSWER: Final = 4_096
"""Bytes of a POST that are read."""

_TEMPLATES: Final = Path(__file__).parent / "templates"

log = logging.getLogger(__name__)


class Dashboard:
    """The pages of one repository, and who gets them.

    :ivar token: what a request must hold; new for each run.
    """

    def __init__(self, figures: Figures, code: CodePages, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._answer_token = secrets.token_urlsafe(32)
        self._figures, self._port = figures, port
        self._hosts = (f"{LOOPBACK}:{port}", f"localhost:{port}")
        self._cookie = f"ondol-{port}"
        self._pages: dict[str, Callable[[Query], Page]] = {
            "/": lambda _: figures.overview(),
            "/use": figures.use,
            "/search": code.search,
            "/playground": code.playground,
            "/index": code.index,
            "/nights": lambda _: figures.nights(),
            MODELS: figures.models.page,
            "/replay": lambda _: figures.replay(),
        }
        environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
        environment.filters["marked"] = _marked
        self._template = environment.get_template("page.html")
        report = Path(__file__).parents[1] / "evaluation" / "templates" / "report.css"
        self._style = report.read_text("utf-8") + (_TEMPLATES / "page.css").read_text("utf-8")

    @property
    def address(self) -> str:
        """The address that opens the pages."""
        return f"http://{LOOPBACK}:{self._port}/?token={self.token}"

    def app(self) -> Starlette:
        """Return the application; every answer passes :meth:`_answer`."""
        return Starlette(
            routes=[
                Route(MODELS, self._changing, methods=["POST"]),
                Route("/{path:path}", self._reading, methods=["GET", "HEAD"]),
            ]
        )

    def _reading(self, request: Request) -> Response:
        return self._answer(request, self._page)

    async def _changing(self, request: Request) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > LONGEST_ANSWER:
                break
        values = dict(parse_qsl(body[:LONGEST_ANSWER].decode("utf-8", "replace"), keep_blank_values=True))
        return await run_in_threadpool(self._answer, request, lambda one: self._change(one, values))

    def _answer(self, request: Request, make: Callable[[Request], Response]) -> Response:
        try:
            response = self._refused(request) or make(request)
        except Exception as error:  # no traceback reaches a browser
            log.error("a page of the dashboard failed: %s", type(error).__name__)
            response = PlainTextResponse(f"This page cannot be made ({type(error).__name__}).", 500)
        response.headers.update(_HEADERS)
        return response

    def _change(self, request: Request, values: Query) -> Response:
        """Do what the user has confirmed on the page of adapters, and lead back to it."""
        own = request.headers.get("origin") is not None  # a foreign one was refused before
        if not own or not hmac.compare_digest(values.get("token", "").encode(), self._answer_token.encode()):
            return PlainTextResponse("Answer the question on the page Models.", 403)
        self._figures.models.change(values)
        return RedirectResponse(MODELS, 303)

    def _refused(self, request: Request) -> Response | None:
        """Return the answer to a request that may not see the pages, or that comes with the token; else None."""
        if request.headers.get("host", "") not in self._hosts:
            return PlainTextResponse("This is not the address of the dashboard.", 421)
        origin = request.headers.get("origin")
        if origin is not None and origin not in [f"http://{host}" for host in self._hosts]:
            return PlainTextResponse("Pages of other sites get nothing here.", 403)
        given = request.query_params.get("token")
        if given is not None and self._is_token(given):
            response = RedirectResponse(self._without_token(request), 303)
            response.set_cookie(self._cookie, self.token, httponly=True, samesite="strict", path="/")
            return response
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return PlainTextResponse("Pages of other sites get nothing here.", 403)
        if not self._is_token(request.cookies.get(self._cookie, "")):
            return PlainTextResponse("Open the address that `ondol dashboard` printed, with its token.", 403)
        return None

    def _without_token(self, request: Request) -> str:
        """Return the address of the page that was asked for, without the token."""
        if request.url.path not in self._pages:
            return "/"
        kept = urlencode([(name, value) for name, value in request.query_params.multi_items() if name != "token"])
        return f"{request.url.path}?{kept}" if kept else str(request.url.path)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _page(self, request: Request) -> Response:
        path = request.url.path
        if path == "/style.css":
            return Response(self._style, media_type="text/css")
        make = self._pages.get(path)
        if make is None:
            return PlainTextResponse("There is no such page.", 404)
        names = {where: where[1:].capitalize() or "Overview" for where in self._pages}
        page = make(request.query_params)
        text = self._template.render(
            page=page, repository=self._figures.name, pages=names, here=path, token=self._answer_token
        )
        return Response(printable(text, "\n\t").encode("utf-8", "replace"), media_type="text/html; charset=utf-8")


def _marked(text: str) -> Markup:
    """Return a sentence as HTML; what stands between two backticks is set as code."""
    plain, *rest = text.split("`")
    html = escape(plain)
    while len(rest) > 1:
        code, plain, *rest = rest
        html += Markup("<code>{}</code>{}").format(code, plain)
    return html + "".join("`" + one for one in rest)


def serve(dashboard: Dashboard, port: int) -> None:
    """Serve until the user ends it. Nothing is logged, because the first address holds the token."""
    import uvicorn

    uvicorn.run(
        dashboard.app(),
        host=LOOPBACK,
        port=port,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
