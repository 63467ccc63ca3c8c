"""What an operator chooses."""

import ipaddress
from dataclasses import dataclass

from segnext.errors import UsageError

DEFAULT_PORT = 8000
DEFAULT_MAX_PIXELS = 16_000_000


@dataclass(frozen=True)
class Settings:
    """Limits and doors of a server.

    Attributes:
        host: Address to listen on; loopback by default, which no other machine reaches.
        port: To listen on; 0 takes a free one.
        token: That clients must show; `None` asks for none.
        max_pixels: Of a picture, checked before it is decoded.
        max_bytes: Of a picture's file, checked before and while it is read.
        workers: Pictures that are computed at the same time.
        queue: Requests that may wait besides them; one more is refused with 429.
        batch: Pictures of one size that may run as one, where that changes nothing.
        timeout_s: From the moment a request is taken on; then it is refused with 503.
        allow_urls: Fetch pictures from addresses that clients name.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_bytes: int = 32 << 20
    workers: int = 1
    queue: int = 32
    batch: int = 4
    timeout_s: float = 60.0
    allow_urls: bool = False

    def __post_init__(self) -> None:
        least = {"max_pixels": 1024, "max_bytes": 1024, "workers": 1, "queue": 0, "batch": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                msg = f"{name} must be {smallest} or more, got {getattr(self, name)}"
                raise UsageError(msg)
        if not 0 <= self.port <= 65535:
            msg = f"port must be 0 to 65535, got {self.port}"
            raise UsageError(msg)
        if not 0.1 <= self.timeout_s <= 3600:
            msg = f"timeout must be 0.1 to 3600 seconds, got {self.timeout_s}"
            raise UsageError(msg)
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            msg = "the token must be printable ASCII, as it travels in a header"
            raise UsageError(msg)
        if self.token is not None and len(self.token) < 16:
            msg = "the token must have 16 characters or more; openssl rand -hex 16 makes one"
            raise UsageError(msg)

    @property
    def is_loopback(self) -> bool:
        """Only this machine reaches the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def max_body(self) -> int:
        """Bytes of a request's body: base64 takes a third more than the file, and words around."""
        return self.max_bytes * 4 // 3 + 16_384
