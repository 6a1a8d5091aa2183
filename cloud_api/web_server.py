"""The HTTP server, as a part of a program that decides when it ends."""

import contextlib
import ssl
from collections.abc import Generator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

SHUTDOWN_S = 1
"""How long open requests may take when the program stops; streams never end by themselves."""


def web_server(
    app: FastAPI, proxies: str = "127.0.0.1", cert: Path | None = None, key: Path | None = None
) -> "WebServer":
    """A server for this application; its listening socket is made before.

    proxies    addresses, with commas, whose X-Forwarded-For and X-Forwarded-Proto are believed
    cert, key  PEM, for https and nothing else
    Raises OSError, ssl.SSLError when they can't be used.
    """
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=SHUTDOWN_S,
        forwarded_allow_ips=proxies, ssl_certfile=cert, ssl_keyfile=key,
    )  # fmt: skip
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return WebServer(config)


class WebServer(uvicorn.Server):
    """uvicorn, but the program decides on signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave them alone."""
        yield
