"""What every request passes: who may come in, and what every answer says to browsers."""

import hmac
import re
import time
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segnext.serve.counters import Counters
from segnext.serve.refusals import RefusalError

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PORT = re.compile(r":\d*$")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Gate:
    """Lets requests in, as an ASGI application around another.

    Args:
        app: Behind it.
        token: That `/v1` and `/metrics` ask for; `None` asks for none.
        local_only: Answer only to loopback names: a page of another site whose name was pointed at
            this machine cannot use a server that trusts whoever reaches it.
        open_paths: That need no token.
        counters: Told of every answer.
        route_of: Names a path for the counters; `None` for one that does not exist.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None,
        local_only: bool,
        open_paths: Iterable[str],
        counters: Counters,
        route_of: Callable[[str], str | None],
    ) -> None:
        self._app = app
        self._token = None if token is None else f"Bearer {token}".encode()
        self._local_only = local_only
        self._open_paths = frozenset(open_paths)
        self._counters = counters
        self._route_of = route_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request and hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        route = self._route_of(scope["path"]) or "other"

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                seconds = time.perf_counter() - begin
                self._counters.count_request(route, message["status"], seconds)
            await send(message)

        refusal = self._refuse(scope["path"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_marked)
            return
        response = JSONResponse({"error": refusal.message}, refusal.status, refusal.headers)
        await response(scope, receive, send_marked)

    def _refuse(self, path: str, headers: Headers) -> RefusalError | None:
        if self._local_only:
            host = _PORT.sub("", headers.get("host", "").lower())
            if host not in _LOOPBACK_NAMES:
                msg = "this server answers to localhost only; start it with --token for other names"
                return RefusalError(403, msg)
            if headers.get("sec-fetch-site") == "cross-site" and path.startswith("/v1"):
                return RefusalError(403, "pages of other sites may not use this server")
        if self._token is None or path in self._open_paths:
            return None
        shown = headers.get("authorization", "").encode("latin-1", "replace")
        if hmac.compare_digest(shown, self._token):
            return None
        msg = "this server needs its token: Authorization: Bearer TOKEN"
        return RefusalError(401, msg, {"WWW-Authenticate": "Bearer"})
