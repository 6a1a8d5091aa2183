"""A socket of which many small pieces are read: the system is asked once for all that has come, not once a piece.

paho asks for the first byte of a packet, for each of its length, and for the rest: three calls or more a packet, and each
lets go of the interpreter, which other threads then hold for milliseconds.
"""

import socket
import ssl
from typing import Any

READ_BYTES = 65_536


class BufferedSocket:
    """Like the socket, which does not block, but for ``recv`` and ``pending``.

    It asks the system for more once between two moments at which nothing is pending: whoever reads until then gets on
    with other work also when more keeps coming.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._piece = b""
        self._at = 0
        self._asked = False

    def recv(self, size: int) -> bytes:
        """Up to so many bytes; b"" at the end. Raises BlockingIOError, and what the socket raises."""
        if self._at == len(self._piece):
            if self._asked:
                raise BlockingIOError
            self._asked = True
            self._piece, self._at = b"", 0
            self._piece = self._sock.recv(READ_BYTES)
        piece = self._piece[self._at : self._at + size]
        self._at += len(piece)
        return piece

    def pending(self) -> int:
        """Bytes that can be read although the system may say that nothing has come."""
        left = len(self._piece) - self._at
        if not left:
            self._asked = False
            left = self._sock.pending() if isinstance(self._sock, ssl.SSLSocket) else 0
        return left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
