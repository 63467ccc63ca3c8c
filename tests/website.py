"""A web server on this computer whose behaviour a test chooses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Website:
    """What the server holds, how it behaves, and what it was asked.

    `breaks` lists, per request, after how many bytes the connection ends; the rest come whole.
    After the first break the file is replaced by `later`, if that is given.
    """

    content: bytes
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str = '"one"'
    later: bytes = b""
    status: int = 0
    location: str = ""
    shift: int = 0
    silent: threading.Event | None = None
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def asked_ranges(self) -> list[str | None]:
        return [headers.get("Range") for headers in self.requests]


def make_handler(site: Website) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.requests.append(dict(self.headers.items()))
            if site.silent is not None:
                site.silent.wait(5)
                return
            if site.status:
                self.send_response(site.status)
                self.send_header("Location", site.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.answer()

        def answer(self) -> None:
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            same = self.headers.get("If-Range", site.etag) == site.etag
            if start >= len(site.content):
                self.send_response(416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if start and site.ranges and same:
                self.send_response(206)
                first = start + site.shift
                size = len(site.content)
                self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
            else:
                start = 0
                self.send_response(200)
            body = site.content[start:]
            self.send_header("ETag", site.etag)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if not site.breaks:
                self.wfile.write(body)
                return
            if site.later:
                site.content, site.etag, site.later = site.later, '"two"', b""
            self.wfile.write(body[: site.breaks.pop(0)])

        def log_message(self, *_: object) -> None: ...

    return Handler


@contextmanager
def serve(content: bytes) -> Iterator[Website]:
    site = Website(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        if site.silent is not None:
            site.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()
