"""What one caller may ask of the cloud is bounded: a body's size, a page's length, the streams that are open."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from cloud_api.body_limit import BODY_BYTES_MAX
from cloud_api.live.routes import STREAMS_MAX, STREAMS_OF_ONE_MAX
from tests.unit.cloud_http.cloud import Cloud, open_cloud

PIECE = b" " * 65_536


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition("/")[2]


def test_a_body_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    """Whether it says so or comes in pieces; of every route that takes one, also before anybody is signed in."""

    async def run() -> None:
        async with open_cloud(tmp_path) as cloud, cloud.client() as stranger:
            sent = 0

            async def pieces() -> AsyncIterator[bytes]:
                nonlocal sent
                for _ in range(1_000):
                    sent += len(PIECE)
                    yield PIECE

            for client, path in ((stranger, "provision"), (cloud.http, "claims"), (cloud.http, "profiles")):
                url, before = f"/api/v1/{path}", sent
                assert problem(await client.post(url, content=pieces())) == (413, "body_too_large"), path
                assert sent - before <= BODY_BYTES_MAX + 2 * len(PIECE)
                whole = b"[" + b" " * BODY_BYTES_MAX + b"]"
                assert problem(await client.post(url, content=whole)) == (413, "body_too_large"), path
            just = await stranger.post("/api/v1/provision", content=b" " * BODY_BYTES_MAX)
            assert problem(just) == (422, "body_invalid"), "as large as may be is read"

    asyncio.run(run())


def test_streams_are_counted_and_one_caller_does_not_have_them_all(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_cloud(tmp_path) as cloud:
            hub = cloud.stores.live.hub
            watching = [hub.subscribe(lambda event: False, "")[0] for _ in range(STREAMS_MAX)]
            answer = await cloud.http.get("/api/v1/live")
            assert problem(answer) == (503, "too_many_streams") and answer.headers["Retry-After"]
            for subscription in watching:
                hub.leave(subscription)
            assert await opened(cloud) and hub.watchers == 0, "it is left when its reader goes"

    asyncio.run(run())
    assert STREAMS_OF_ONE_MAX < STREAMS_MAX


async def opened(cloud: Cloud) -> bool:
    """Does a stream begin? Its reader goes at once."""
    messages: asyncio.Queue[object] = asyncio.Queue()
    request = cloud.http.build_request("GET", "/api/v1/live")
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/live", "raw_path": b"/api/v1/live", "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "scheme": "http", "http_version": "1.1", "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    gone = asyncio.Event()

    async def receive() -> dict[str, object]:
        await gone.wait()
        return {"type": "http.disconnect"}

    asking = asyncio.create_task(cloud.app(scope, receive, messages.put))  # type: ignore[arg-type]
    begun = await asyncio.wait_for(messages.get(), 10)
    await asyncio.wait_for(messages.get(), 10)
    gone.set()
    await asyncio.wait_for(asking, 10)
    return isinstance(begun, dict) and begun["status"] == 200
