"""The routes of profiles."""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Request

import device_registry as registry
from cloud_api import approvals
from cloud_api.actor import ActorDep
from cloud_api.audit.recording import note
from cloud_api.names import BilingualName
from cloud_api.pages import Cursor, Limit, cut, decode_cursor
from cloud_api.parts import PartsDep
from cloud_api.people.access import needs, needs_everywhere
from cloud_api.people.roles import Permission
from cloud_api.problems import Fault, Problem, responses
from cloud_api.profiles import checking, schema
from contracts.profile_signature import DOCUMENT_BYTES_MAX, digest_of

CHECK_S_MAX = 10.0

router = APIRouter(tags=["profiles"])


class _Places:
    """Where versions are used."""

    def __init__(
        self, pushed: Mapping[str, Mapping[str, int]], devices: Mapping[tuple[str, int], int],
        refused: Mapping[str, Mapping[str, str]],
    ) -> None:  # fmt: skip
        self._pushed, self._devices, self._refused = pushed, devices, refused

    def row(
        self, profile: str, version: int, source: str, kind: str, name: BilingualName, document: str,
        created_ms: int | None,
    ) -> schema.ProfileVersion:  # fmt: skip
        gateways = [gateway for gateway, at in self._pushed.get(profile, {}).items() if at == version]
        if source == "shipped":
            gateways = []
        refused = self._refused.get(profile, {})
        return schema.ProfileVersion.model_validate({
            "id": profile,
            "version": version,
            "source": source,
            "kind": kind,
            "name": name,
            "digest": digest_of(document.encode()).hex(),
            "created_ms": created_ms,
            "gateways": gateways,
            "refused_by": {gateway: refused[gateway] for gateway in gateways if gateway in refused},
            "devices": self._devices.get((profile, version), 0),
        })  # fmt: skip


async def _places() -> _Places:
    pushed, devices = await registry.profile_places()
    return _Places(pushed, devices, await registry.refused_profiles())


async def _versions(profile: str = "") -> list[schema.ProfileVersion]:
    places = await _places()
    rows = [
        places.row(
            row.profile, row.version, "own", row.kind, BilingualName.of(row), row.document, row.created_ms
        )
        for row in await registry.profile_versions(profile)
    ]  # fmt: skip
    for name, found in checking.shipped().items():
        if not profile or name == profile:
            header = found.profile
            bilingual = BilingualName(zh=header.zh, en=header.en)
            document = checking.shipped_document(name)
            rows.append(places.row(name, header.version, "shipped", header.kind, bilingual, document, None))
    return sorted(rows, key=lambda row: (row.id, -row.version, row.source))


@router.get("/profiles", summary="Profiles, a version an entry", openapi_extra=needs(Permission.DIAGNOSE))
async def list_profiles(cursor: Cursor = "", limit: Limit = 100) -> schema.ProfilePage:
    """In the order of their ids, of each the newest version first."""
    place = decode_cursor(cursor, str, int, str)
    rows = await _versions()
    if place:
        rows = [row for row in rows if (row.id, -row.version, row.source) > (place[0], place[1], place[2])]
    page, following = cut(rows[: limit + 1], limit, lambda row: (row.id, -row.version, row.source))
    return schema.ProfilePage(items=page, next_cursor=following)


@router.get(
    "/profiles/key", summary="The key by which gateways know our profiles", openapi_extra=needs(Permission.DIAGNOSE)
)
async def get_profile_key(parts: PartsDep) -> schema.ProfileKey:
    """Put it into a file, and its path into the gateway's `LINLI_PROFILE_KEY_FILE`."""
    return schema.ProfileKey(pem=parts.cloud_key.decode())


@router.get(
    "/profiles/{maker}/{model}",
    summary="One profile",
    responses=responses("not_found"),
    openapi_extra=needs(Permission.DIAGNOSE),
)
async def get_profile(maker: str, model: str) -> schema.ProfileDetail:
    """Its versions and the newest one's document. Its examples are tried now."""
    name = f"{maker}/{model}"
    versions = await _versions(name)
    if not versions:
        raise registry.NotFound("profile", name)
    own = await registry.profile_versions(name)
    document = own[0].document if own else checking.shipped_document(name)
    profile = checking.parse_profile(document.encode(), name)
    faults = [f"line {fault.line}: {fault.message}" for fault in await _faults(document.encode())]
    return schema.ProfileDetail(
        id=name, versions=versions, document=document, examples=len(profile.examples), faults=faults
    )


@router.post(
    "/profiles",
    summary="Keep a version of a profile",
    status_code=201,
    responses=responses("conflict", "profile_invalid", "body_too_large"),
    openapi_extra=needs_everywhere(Permission.PROFILES)
    | {
        "requestBody": {
            "required": True,
            "content": {"application/yaml": {"schema": {"type": "string"}}, "application/json": {"schema": {}}},
        }
    },
)
async def post_profile(request: Request, parts: PartsDep) -> schema.ProfileVersion:
    """The body is the document, YAML or JSON, 64 KiB at most. It is kept only when its schema holds and each of its
    examples gives what it promises; else every fault is named with its line and key. A version never changes."""
    document = await _body(request)
    faults = await _faults(document)
    if faults:
        raise Problem(
            "profile_invalid",
            f"{len(faults)} faults; the first, in line {faults[0].line}: {faults[0].message}",
            [Fault(where=f"line {line}: {key}".rstrip(": "), message=message) for line, key, message in faults],
        )
    header = checking.parse_profile(document, "").profile
    known = checking.shipped().get(header.id)
    if known is not None and header.version <= known.profile.version:
        raise registry.Conflict(
            f"version {known.profile.version} of {header.id!r} is shipped; a change needs a higher one"
        )
    name = registry.Name(header.zh, header.en)
    row = await registry.add_profile(header.id, header.version, header.kind, name, document.decode(), parts.clock())
    return (await _places()).row(
        row.profile, row.version, "own", row.kind, BilingualName.of(row), row.document, row.created_ms
    )


@router.post(
    "/profiles/{maker}/{model}/versions/{version}/push",
    summary="Push a version to gateways",
    responses=responses("not_found", "conflict", "approval_needed", "approval_refused", "body_invalid"),
    openapi_extra=needs(Permission.SET_UP),
)
async def push_profile(
    maker: str, model: str, version: int, body: schema.PushBody, parts: PartsDep, actor: ActorDep, request: Request
) -> schema.Pushed:
    """It becomes part of their desired state, signed. Each takes it without a restart, or says why it does not
    (`refused_profiles` of the gateway). Messages that were refused before and that it can read are read then.

    To more than one gateway at once it takes a second person: `approval`."""
    note(request, to=body.gateways, community=body.community, approval=body.approval)
    reached = set(body.gateways)
    if body.community:
        await registry.community(body.community)
        reached |= {row.id for row in await registry.gateways("", 2, body.community)}
    if body.approval is not None:
        asked = {"gateways": body.gateways, "community": body.community}
        now_ms, target = parts.clock(), f"{maker}/{model}/{version}"
        await approvals.approved(body.approval, "push_profile", target, asked, actor.id, now_ms)
        await approvals.use(body.approval, now_ms)
    elif len(reached) > 1:
        raise Problem(
            "approval_needed", "more than one gateway at once takes a second person: ask for an approval first"
        )
    gateways = await registry.push_profile(f"{maker}/{model}", version, body.gateways, body.community, parts.clock())
    note(request, gateways=gateways)
    return schema.Pushed(gateways=gateways)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > DOCUMENT_BYTES_MAX:
            raise Problem("body_too_large", f"a profile has {DOCUMENT_BYTES_MAX} bytes at most")
    return body


async def _faults(document: bytes) -> list[checking.Fault]:
    try:
        async with asyncio.timeout(CHECK_S_MAX):
            return await asyncio.to_thread(checking.faults_of, document)
    except TimeoutError:
        return [checking.Fault(1, "", f"checking it took more than {CHECK_S_MAX:.0f} s")]
