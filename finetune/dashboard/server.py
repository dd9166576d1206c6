"""The web server of ``ondol dashboard``: its pages reach only this user's browser, and load nothing from elsewhere.

It listens on a loopback address. The address that is printed holds a token; the first request with it sets a cookie.
Every request must name this server as its ``Host`` (a page of another site that points its name at this machine does
not) and, where it has an ``Origin``, come from it. Nothing can be changed over it: only GET and HEAD are answered.
"""

import hmac
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from finetune.dashboard.code_pages import CodePages, Query
from finetune.dashboard.figures import Figures
from finetune.dashboard.page import Page
from indexer.text.printable import printable

LOOPBACK: Final = "127.0.0.1"

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_TEMPLATES: Final = Path(__file__).parent / "templates"

log = logging.getLogger(__name__)


class Dashboard:
    """The pages of one repository, and who gets them.

    :ivar token: what a request must hold; new for each run.
    """

    def __init__(self, figures: Figures, code: CodePages, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._figures, self._port = figures, port
        self._hosts = (f"{LOOPBACK}:{port}", f"localhost:{port}")
        self._cookie = f"ondol-{port}"
        self._pages: dict[str, Callable[[Query], Page]] = {
            "/": lambda _: figures.overview(),
            "/use": lambda _: figures.use(),
            "/search": code.search,
            "/playground": code.playground,
            "/index": code.index,
            "/nights": lambda _: figures.nights(),
            "/models": lambda _: figures.models(),
            "/replay": lambda _: figures.replay(),
        }
        environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
        self._template = environment.get_template("page.html")
        report = Path(__file__).parents[1] / "evaluation" / "templates" / "report.css"
        self._style = report.read_text("utf-8") + (_TEMPLATES / "page.css").read_text("utf-8")

    @property
    def address(self) -> str:
        """The address that opens the pages."""
        return f"http://{LOOPBACK}:{self._port}/?token={self.token}"

    def app(self) -> Starlette:
        """Return the application; every answer passes :meth:`_answer`."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "HEAD"])])

    def _answer(self, request: Request) -> Response:
        try:
            response = self._refused(request) or self._page(request)
        except Exception as error:  # no traceback reaches a browser
            log.error("a page of the dashboard failed: %s", type(error).__name__)
            response = PlainTextResponse(f"This page cannot be made ({type(error).__name__}).", 500)
        response.headers.update(_HEADERS)
        return response

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
        text = self._template.render(page=page, repository=self._figures.name, pages=names, here=path)
        return Response(printable(text, "\n\t").encode("utf-8", "replace"), media_type="text/html; charset=utf-8")


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
