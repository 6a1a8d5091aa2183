"""Our word with InfluxDB over its 1.x routes, /write and /query, which 2.x and 3.x have as well. Blocks: for threads.

Whatever the client or its HTTP library raises becomes one of two errors here: StoreAway (try again later) or Rejected
(these lines are wrong and stay wrong).
"""

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from cloud_api.telemetry.store import StoreAway

CONNECT_S, READ_S = 2.0, 10.0
_VERSION = re.compile(r"v?(\d+)\.")
_DROPPED = re.compile(r"dropped=(\d+)")


class InfluxAddress(NamedTuple):
    """Where InfluxDB is and who we are there: a token (2.x, 3.x), or a user name with its password (1.x), or nobody."""

    url: str
    database: str = "linli"
    username: str = ""
    password: str = ""
    token: str = ""


class Rejected(Exception):
    """InfluxDB will never take some of these lines; ``dropped``: how many, 0 when it does not say. The rest is stored."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        found = _DROPPED.search(reason)
        self.dropped = int(found[1]) if found else 0


class InfluxHttp:
    """One database on one server. A request that fails is not repeated here: the projection runner does that."""

    def __init__(self, address: InfluxAddress) -> None:
        url = urlsplit(address.url)
        self._session = session = requests.Session()
        session.trust_env = False  # a proxy of the environment is not for a server of our own
        self._ping = f"{address.url.rstrip('/')}/ping"
        self.database = address.database
        self._headers = {"Accept": "application/json", **_authorization(address.token)}
        self._client = InfluxDBClient(
            f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname,
            url.port or (443 if url.scheme == "https" else 80),
            address.username or None,
            address.password or None,
            address.database,
            ssl=url.scheme == "https",
            verify_ssl=True,
            path=url.path.rstrip("/"),
            timeout=(CONNECT_S, READ_S),
            retries=1,
            session=session,
            headers=self._headers,
        )
        self._write_headers = {"Content-Type": "text/plain; charset=utf-8", **_authorization(address.token)}

    def write(self, lines: list[str]) -> None:
        """Store these lines; they are on the server's disk when this returns. Raises StoreAway, Rejected."""
        try:
            self._client.request(
                "write",
                "POST",
                {"db": self.database, "precision": "ns"},
                "\n".join(lines).encode(),
                expected_response_code=204,
                headers=self._write_headers,
            )
        except InfluxDBClientError as error:
            if error.code in (400, 413, 422):
                raise Rejected(_word(error)) from error
            raise StoreAway(f"InfluxDB: {error.code} {_word(error)}") from error
        except (InfluxDBServerError, requests.RequestException) as error:
            raise StoreAway(f"InfluxDB: {error}") from error

    def query(self, influxql: str, change: bool = False) -> list[list[Any]]:
        """The rows of the first series, times in nanoseconds. change: it is not a read. Raises StoreAway."""
        try:
            result = self._client.query(influxql, epoch="ns", method="POST" if change else "GET")
            series = result.raw.get("series", []) if result else []
        except (InfluxDBClientError, InfluxDBServerError, requests.RequestException, ValueError) as error:
            raise StoreAway(f"InfluxDB: {error}") from error
        return series[0]["values"] if series else []

    def create_database(self) -> None:
        """Make the database if it is not there. 2.x and 3.x don't know this statement and must have it already."""
        self.query(f'CREATE DATABASE "{self.database}"', change=True)

    def generation(self) -> int:
        """The first number of the server's version; 0 when it does not say it. Raises StoreAway."""
        try:
            answer = self._session.get(self._ping, headers=self._headers, timeout=(CONNECT_S, READ_S))
            answer.raise_for_status()
        except requests.RequestException as error:
            raise StoreAway(f"InfluxDB: {error}") from error
        found = _VERSION.match(answer.headers.get("X-Influxdb-Version", ""))
        return int(found[1]) if found else 0

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _authorization(token: str) -> dict[str, str]:
    return {"Authorization": f"Token {token}"} if token else {}


def _word(error: InfluxDBClientError) -> str:
    content = error.content
    return content.decode(errors="replace").strip() if isinstance(content, bytes) else str(content)
