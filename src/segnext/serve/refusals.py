"""Why a request is not answered with a mask: a status and one line."""

from collections.abc import Mapping


class RefusalError(Exception):
    """An answer that is no mask.

    Args:
        status: Of HTTP.
        message: In one line: what is wrong, which value, what to do.
        headers: That belong to the status, such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = " ".join(message.split())
        self.headers = dict(headers or {})
