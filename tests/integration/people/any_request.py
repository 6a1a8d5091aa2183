"""Any request: made from the schemas of the API's own document, so that it gets past the first door, then perhaps spoilt. It
asks for what is there (a house of two communities), for what is another's, or for what is not. And what its answer must be:
no failure, no status that is not declared, no body of another shape, nothing of another community.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cloud_api.openapi import document_text
from cloud_api.people.roles import Role
from tests.faults import LONG
from tests.integration.people.house import ELSEWHERE, House

REQUESTS = 40 if LONG else 6
"""Of each operation; each is sent by one of the people."""
DOCUMENT = json.loads(document_text())
NOBODY, OF_ALL = "nobody", "administrator of all"
PEOPLE = [NOBODY, OF_ALL, *(role.value for role in Role)]
ENDLESS = "/api/v1/live"
OF_PERSON = ("authorization", "x-requested-with")


class Declared(NamedTuple):
    """A route's method, path and what the document says of it."""

    method: str
    path: str
    said: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"

    def parameters(self, place: str) -> list[Mapping[str, Any]]:
        return [each for each in self.said.get("parameters", []) if each["in"] == place]


DECLARED = [
    Declared(method.upper(), path, said)
    for path, methods in DOCUMENT["paths"].items()
    for method, said in methods.items()
]


def whole(schema: Any) -> Any:
    """A schema with what it refers to put in its place: none of ours goes in circles."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return whole(DOCUMENT["components"]["schemas"][name])
        return {key: whole(value) for key, value in schema.items() if key not in ("examples", "example", "description")}
    return [whole(each) for each in schema] if isinstance(schema, list) else schema


def made_from(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema allows, of the parts of JSON Schema that ours have."""
    if "anyOf" in schema:
        return st.one_of([made_from(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    bounds = {"min_value": schema.get("minimum"), "max_value": schema.get("maximum")}
    match schema.get("type"):
        case "object":
            return _objects(schema)
        case "array":
            sizes = {"min_size": schema.get("minItems", 0), "max_size": min(3, schema.get("maxItems", 3))}
            return st.lists(made_from(schema.get("items", {})), **sizes)
        case "string":
            if "pattern" in schema:
                return st.from_regex(schema["pattern"], fullmatch=True)
            return st.text(min_size=schema.get("minLength", 0), max_size=min(12, schema.get("maxLength", 12)))
        case "integer":
            return st.integers(**bounds)
        case "number":
            return st.floats(**bounds, allow_nan=False)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return NASTY


def _objects(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    parts = {name: made_from(each) for name, each in schema.get("properties", {}).items()}
    needed = schema.get("required", [])
    if parts:
        optional = {name: part for name, part in parts.items() if name not in needed}
        return st.fixed_dictionaries({name: parts[name] for name in needed}, optional=optional)
    more = schema.get("additionalProperties")
    return st.dictionaries(st.text(max_size=8), made_from(more) if isinstance(more, Mapping) else NASTY, max_size=3)


@cache
def validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


NASTY = st.sampled_from(
    [
        "", " ", "\0", "a\0b", "\ud800", "🦉" * 70, "'; DROP TABLE person; --", "../../etc/passwd", "%00", "x" * 5_000, "null",
        0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40, 1e308, 1.5, float("nan"), float("inf"),
        True, None, [], {}, [[[[]]]], {"": {"": None}}, ["\0"], {"\0": "\ud800"},
    ]
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, body: Any) -> Any:
    """The same with one thing in it that is not as it should be."""
    if isinstance(body, dict) and body and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(body)))
        what = draw(st.sampled_from(["inside", "without", "besides"]))
        if what == "without":
            return {name: value for name, value in body.items() if name != key}
        if what == "besides":
            return body | {draw(st.sampled_from(["", "id", "\0", "__class__", "role"])): draw(NASTY)}
        return body | {key: draw(spoilt(body[key]))}
    return draw(NASTY)


@st.composite
def texts(draw: st.DrawFn, schema: Mapping[str, Any], known: list[str]) -> str:
    """A parameter's value: something that is there, something of its schema, or something that is neither."""
    what = draw(st.sampled_from(["known", "known", "schema", "nasty"]))
    if what == "known" and known:
        return draw(st.sampled_from(known))
    value = draw(NASTY) if what == "nasty" else draw(made_from(whole(schema)))
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


def known_values(name: str, house: House) -> list[str]:
    """What there is under this name, here and elsewhere."""
    ids = [things.of for things in house.things.values()]
    for like in (name, f"{name}_id"):
        if like in ids[0]:
            return [of[like] for of in ids]
    return {"cursor": [""], "metric": ["valve_open", "temperature"]}.get(name, [])


@st.composite
def requests(draw: st.DrawFn, operation: Declared, house: House) -> httpx.Request:
    path = operation.path
    for parameter in operation.parameters("path"):
        value = draw(texts(parameter["schema"], known_values(parameter["name"], house)))
        name = f"{{{parameter['name']}}}"
        path = path.replace(name, quote(value.replace("/", "-"), safe="") or "%20")  # %2F would be another path
    query = {}
    for parameter in operation.parameters("query"):
        if parameter.get("required") or draw(st.integers(0, 3)) == 0:
            query[parameter["name"]] = draw(texts(parameter["schema"], known_values(parameter["name"], house)))
    headers = {}
    for parameter in operation.parameters("header"):
        if operation.path != ENDLESS and draw(st.booleans()):
            headers[parameter["name"]] = draw(st.text("abc-12", max_size=70))
    content = None
    if "requestBody" in operation.said:
        (media, said), *_ = operation.said["requestBody"]["content"].items()
        headers["Content-Type"] = media
        body = draw(made_from(whole(said["schema"])))
        body = aimed(draw, body, house)
        how = draw(st.sampled_from(["right", "right", "spoilt", "spoilt", "raw"]))
        body = draw(spoilt(body)) if how == "spoilt" else body
        content = json.dumps(body).encode()
        if how == "raw":
            content = draw(
                st.sampled_from([b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":1e999}', content[:-1], b"null"])
            )
    return httpx.Request(operation.method, f"http://127.0.0.1{path}", params=query, headers=headers, content=content)


def aimed(draw: st.DrawFn, body: Any, house: House) -> Any:
    """The same about things that are there, wherever it names some."""
    if isinstance(body, dict):
        found = {}
        for key, value in body.items():
            known = known_values(key, house)
            aims = isinstance(value, str) and known and draw(st.integers(0, 3)) > 0
            found[key] = draw(st.sampled_from(known)) if aims else aimed(draw, value, house)
        return found
    return [aimed(draw, each, house) for each in body] if isinstance(body, list) else body


async def beginning(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """The status and the first event of the live stream; httpx's transport for applications would wait for its end."""
    app = client._transport.app  # type: ignore[attr-defined]
    first: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {
        "type": "http", "method": "GET", "path": request.url.path, "raw_path": request.url.raw_path, "scheme": "http",
        "query_string": request.url.query, "headers": [(k.lower(), v) for k, v in request.headers.raw], "root_path": "",
        "http_version": "1.1", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    asking = asyncio.create_task(app(scope, receive, first.put))
    try:
        async with asyncio.timeout(10):
            start, body = await first.get(), await first.get()
    finally:
        asking.cancel()
        await asyncio.wait([asking])
    return httpx.Response(start["status"], headers=start["headers"], content=body["body"])


async def answered(house: House, person: str, operation: Declared, request: httpx.Request) -> httpx.Response:
    """By a browser of this person's; who signs out does so with a cookie of nobody's."""
    who = {NOBODY: None, OF_ALL: house.cloud.http}.get(person, house.people.get(person))
    if who is not None:
        request.headers.update({name: who.headers[name] for name in OF_PERSON if name in who.headers})
        kept = who.cookies.get("linli_session")
        if kept and operation.said["operationId"] != "sign_out":
            request.headers["Cookie"] = f"linli_session={kept}"
    async with house.cloud.client() as client:
        return await (beginning(client, request) if operation.path == ENDLESS else client.send(request))


def check(operation: Declared, person: str, request: httpx.Request, answer: httpx.Response) -> None:
    told = f"{person}: {request.method} {request.url} {request.content[:300]!r} -> {answer.status_code} {answer.text[:600]}"
    assert answer.status_code < 500, told
    declared = operation.said["responses"].get(str(answer.status_code))
    assert declared is not None, f"not declared: {told}"
    check_body(declared, answer, told)
    if person not in (NOBODY, OF_ALL):
        sent = f"{request.url} {request.content!r}"
        hidden = [word for word in (ELSEWHERE,) if word not in sent]
        assert not any(word in answer.text for word in hidden), f"another community's: {told}"


def check_body(declared: Mapping[str, Any], answer: httpx.Response, told: str) -> None:
    media = answer.headers.get("content-type", "").partition(";")[0]
    if not declared.get("content"):
        assert answer.content == b"", f"a body that is not declared: {told}"
        return
    assert media in declared["content"], f"{media} is not declared: {told}"
    schema = declared["content"][media].get("schema")
    if schema and media.endswith("json"):
        fault = next(validator(json.dumps(whole(schema))).iter_errors(answer.json()), None)
        assert fault is None, f"{fault.message if fault else ''} at {fault.json_path if fault else ''}: {told}"
