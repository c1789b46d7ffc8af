"""A furnished central to be examined: its database is opened in the event loop of whoever serves it."""

from __future__ import annotations

from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from central_api.api.application import create_app
from central_api.api.limits import Limits
from central_api.bootstrap import open_central
from tests.contract.examiner import Subject
from tests.contract.mending import mended
from tests.contract.shops import Site

__all__ = ["central_of"]

# The examiner asks as fast as it can; what a caller may ask is tested elsewhere.
UNLIMITED = Limits(per_s=1e9, burst=1e9)
# What works once; another one is to be made up.
USED_UP = {"redemption_id"}


def central_of(site: Site) -> Subject:
    """Return a site's central as its first shop's terminal and administrator see it."""
    shop = site.shop
    return Subject(
        app=_Served(site.url, site.key_file),
        tokens={"token": shop.token, "key": shop.keys["administrator"]},
        names={name: values for name, values in shop.names.items() if name not in USED_UP},
        mend=lambda case: mended(case, shop),
    )


class _Served:
    """An ASGI application that opens its central when its lifespan begins, and closes it at the end."""

    def __init__(self, url: str, key_file: Path) -> None:
        self._url = url
        self._key_file = key_file
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, or live through the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            assert self._app is not None
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        central = await open_central(self._url, self._key_file)
        self._app = create_app(
            database=central.database, capabilities=central.capabilities, version="test", limits=UNLIMITED
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await central.database.close()
        await send({"type": "lifespan.shutdown.complete"})
