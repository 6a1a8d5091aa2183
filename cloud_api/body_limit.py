"""No request's body is larger than any route needs: nobody fills this machine's memory by sending.

Starlette's own limit answers in plain text where a length was said; ours are problem details, as all refusals.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 1 << 20


class BodyLimit:
    """Ends the reading of a body that says that it is larger, or turns out to be; a body that nobody reads is never taken."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        size = int(said) if said.isdigit() else 0

        async def limited() -> Message:
            nonlocal size
            if size > BODY_BYTES_MAX:
                raise HTTPException(413, f"a body has {BODY_BYTES_MAX} bytes at most")
            message = await receive()
            if said == b"0":  # it comes in pieces, and does not say how many
                size += len(message.get("body", b""))
            if size > BODY_BYTES_MAX:
                raise HTTPException(413, f"a body has {BODY_BYTES_MAX} bytes at most")
            return message

        await self._app(scope, limited, send)
