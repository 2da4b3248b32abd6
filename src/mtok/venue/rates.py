"""How often one address may ask the API: a fixed window, told in headers (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from wsgiref.types import WSGIEnvironment

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

Headers = list[tuple[str, str]]

_HOST: Final = re.compile(r"\[([0-9a-f:.]+)\](?::[0-9]+)?|([0-9.]+)(?::[0-9]+)?|([0-9a-f:.]+)", re.IGNORECASE)
"""An address as proxies write it: alone, or with a port."""


class Rates:
    """Counts the requests of each address in this process.

    limit : such as 600/minute, empty for none · proxies : how many stand before this server and add to X-Forwarded-For
    now : seconds since 1970, for how long is left
    """

    def __init__(self, limit: str, proxies: int, now: Callable[[], float]) -> None:
        self._limit = parse(limit) if limit else None
        self._proxies = proxies
        self._now = now
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def ask(self, environ: WSGIEnvironment, cost: int = 1) -> tuple[str | None, Headers]:
        """Count a request; return what to do when it is one too many, else None, and the headers that say so.

        cost : as how many requests it counts
        """
        limit = self._limit
        if limit is None:
            return None, []
        who = self._address(environ)
        allowed = self._limiter.hit(limit, who, cost=min(cost, limit.amount))
        window = self._limiter.get_window_stats(limit, who)
        left = max(int(window.reset_time - self._now()) + 1, 1)
        headers = [
            ("RateLimit-Policy", f'"v1";q={limit.amount};w={limit.get_expiry()}'),
            ("RateLimit", f'"v1";r={window.remaining};t={left}'),
        ]
        if allowed:
            return None, headers
        remedy = f"Ask again in {left} s; whole files of every series are under /series/ and have no limit."
        return remedy, [*headers, ("Retry-After", str(left))]

    def _address(self, environ: WSGIEnvironment) -> str:
        """Return whose requests are counted together: an IPv4 address, a /64 of IPv6."""
        hops = [hop.strip() for hop in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        forwarded = hops[-self._proxies] if self._proxies and len(hops) >= self._proxies else None
        text = forwarded or environ.get("REMOTE_ADDR", "")
        match = _HOST.fullmatch(text)
        try:
            address = ip_address((match[1] or match[2] or match[3]) if match else text)
        except ValueError:
            return "unknown"
        if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
            return str(ip_network((address, 64), strict=False))
        return str(getattr(address, "ipv4_mapped", None) or address)
