"""A WebSocket whose client does not read, ended all the same.

uvicorn closes a connection by waiting until everything was sent, and a client that does not read lets it wait forever:
it would keep the connection, and a server that is told to stop.
"""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_STOPPING_SECONDS: Final = 1.0
_CLOSING_SECONDS: Final = 10.0


class HangingUp(WebSocketsSansIOProtocol):
    """uvicorn's protocol, which hangs up where nobody listens to its good-bye."""

    def shutdown(self) -> None:
        """Say that the server stops, and wait no longer than it can."""
        super().shutdown()
        self.loop.call_later(_STOPPING_SECONDS, self.transport.abort)

    async def run_asgi(self) -> None:
        """Serve the client; whatever is not sent some time after that is for nobody."""
        try:
            await super().run_asgi()
        finally:
            self.loop.call_later(_CLOSING_SECONDS, self.transport.abort)
