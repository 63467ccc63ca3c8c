"""Pictures from addresses that clients name, where an operator allows it.

A server that fetches for strangers stands inside its operator's network. So only public addresses
are asked, the address that was checked is the one that is connected to, whatever the name's owner
answers the next time, and nothing is followed elsewhere.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from segnext.serve.refusals import RefusalError

_PORTS = {"http": 80, "https": 443}
_CHUNK = 65_536
_LONGEST_URL = 2048


def is_public(address: str) -> bool:
    """Say whether an address belongs to the open internet."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            ip = inner
        elif ip in ipaddress.ip_network("64:ff9b::/96"):
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def fetch_picture(
    url: str, *, max_bytes: int, timeout_s: float, allows: Callable[[str], bool] = is_public
) -> bytes:
    """Fetch a picture.

    Args:
        url: http or https, on its scheme's own port.
        max_bytes: Most that are read.
        timeout_s: For all of it.
        allows: Says which addresses may be asked.

    Raises:
        RefusalError: 400 for an address that is not asked, 413 for a file too large, 422 where no
            picture came.
    """
    deadline = time.monotonic() + timeout_s
    host, port, path, scheme = _split(url)
    # Whatever is wrong with an address, the answer is the same: it must not tell what lies there.
    address = _resolve(host, port, allows)
    connection = _connect(address, port, host, scheme, timeout_s)
    try:
        connection.request("GET", path, headers={"Accept": "image/*", "User-Agent": "segnext"})
        with connection.getresponse() as response:
            if response.status != 200:
                msg = (
                    f"url: answered {response.status}; give one that answers with a picture itself"
                )
                raise RefusalError(422, msg)
            return _read(response, max_bytes, deadline)
    except (OSError, http.client.HTTPException):
        raise RefusalError(422, "url: no answer") from None
    finally:
        connection.close()


def _split(url: str) -> tuple[str, int, str, str]:
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST_URL
    try:
        parts = urlsplit(url if plain else "")
        host, port, scheme = parts.hostname, parts.port, parts.scheme
    except ValueError:
        host, port, scheme = None, None, ""
    if scheme not in _PORTS or not host:
        raise RefusalError(400, "url: give an http or https address, percent-encoded")
    if parts.username is not None or parts.password is not None:
        raise RefusalError(400, "url: names and passwords in it are not sent")
    path = parts.path or "/"
    return host, port or _PORTS[scheme], path + (f"?{parts.query}" if parts.query else ""), scheme


def _resolve(host: str, port: int, allows: Callable[[str], bool]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []
    addresses = [str(entry[4][0]) for entry in found]
    public = allows is not is_public or port in _PORTS.values()
    if not addresses or not public or not all(allows(address) for address in addresses):
        raise RefusalError(400, "url: not a public address on port 80 or 443")
    return addresses[0]


def _connect(
    address: str, port: int, host: str, scheme: str, timeout_s: float
) -> http.client.HTTPConnection:
    """Connect to an address, and present the name to it."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        plain = socket.create_connection((address, port), timeout=timeout_s)
        if scheme == "https":
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except OSError:
        raise RefusalError(422, "url: no answer") from None
    connection.sock = plain
    return connection


def _read(response: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    declared = response.headers.get("Content-Length", "")
    content = bytearray()
    if not (declared.isdecimal() and int(declared) > max_bytes):
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > max_bytes:
                break
            if time.monotonic() > deadline:
                raise RefusalError(422, "url: too slow")
        else:
            return bytes(content)
    raise RefusalError(413, f"url: more than the {max_bytes:,} bytes that this server takes")
