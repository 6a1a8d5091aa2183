"""The HTTP server, as a part of a program that decides when it ends."""

import contextlib
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

SHUTDOWN_S = 1
"""How long open requests may take when the program stops; streams never end by themselves."""


def web_server(app: FastAPI, proxies: str = "127.0.0.1") -> "WebServer":
    """A server for this application; its listening socket is made before.

    proxies  addresses, with commas, whose X-Forwarded-For and X-Forwarded-Proto are believed
    """
    return WebServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=proxies,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )


class WebServer(uvicorn.Server):
    """uvicorn, but the program decides on signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield
