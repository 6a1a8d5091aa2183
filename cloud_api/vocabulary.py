"""The route that tells clients our words: metrics with units and limits, verbs with arguments."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from cloud_api.names import BilingualName
from cloud_api.people.access import SIGNED_IN
from contracts.verbs import VERBS
from contracts.vocabulary import KINDS, METRICS

router = APIRouter(tags=["vocabulary"])


class MetricWord(BaseModel):
    """A metric. `unit` is a UCUM code, empty for words, booleans and counts; `members` are an enum's words."""

    name: str = Field(examples=["temperature"])
    unit: str = Field(examples=["Cel"])
    type: Literal["number", "boolean", "enum", "text"]
    members: list[str] = Field(examples=[[]])
    decimals: int = Field(examples=[2])
    low: float = Field(examples=[-60])
    high: float = Field(examples=[200])
    stale_after_ms: int = Field(examples=[3_600_000])
    label: BilingualName


class ArgumentWord(BaseModel):
    """A number that a verb takes; `low` and `high` are allowed."""

    name: str = Field(examples=["current"])
    unit: str = Field(examples=["A"])
    low: float = Field(examples=[6])
    high: float = Field(examples=[32])
    label: BilingualName


class VerbWord(BaseModel):
    """A verb. `safety_relevant`: it acts on people's way or safety, select before you send it. `second_person`: another
    person allows it first."""

    name: str = Field(examples=["set_current_limit"])
    kind: str = Field(examples=["charging"])
    arguments: list[ArgumentWord]
    ttl_ms: int = Field(examples=[60_000])
    safety_relevant: bool
    second_person: bool
    label: BilingualName


class Vocabulary(BaseModel):
    """All words."""

    metrics: list[MetricWord]
    verbs: list[VerbWord]
    kinds: list[str] = Field(examples=[list(KINDS)])


def _vocabulary() -> Vocabulary:
    metrics = [
        MetricWord(
            name=metric.name,
            unit=metric.unit,
            type=metric.type,
            members=list(metric.members),
            decimals=metric.decimals,
            low=metric.low,
            high=metric.high,
            stale_after_ms=metric.stale_after_ms,
            label=BilingualName(zh=metric.zh, en=metric.en),
        )
        for metric in METRICS.values()
    ]
    verbs = [
        VerbWord(
            name=verb.name,
            kind=verb.kind,
            arguments=[
                ArgumentWord(
                    name=name,
                    unit=argument.unit,
                    low=argument.low,
                    high=argument.high,
                    label=BilingualName(zh=argument.zh, en=argument.en),
                )
                for name, argument in verb.arguments.items()
            ],
            ttl_ms=verb.ttl_ms,
            safety_relevant=verb.safety_relevant,
            second_person=verb.second_person,
            label=BilingualName(zh=verb.zh, en=verb.en),
        )
        for verb in VERBS.values()
    ]
    return Vocabulary(metrics=metrics, verbs=verbs, kinds=list(KINDS))


@router.get("/vocabulary", summary="Metrics, verbs and kinds", openapi_extra=SIGNED_IN)
async def get_vocabulary() -> Vocabulary:
    """Fixed for a version of Linli: units, bounds, staleness limits and labels of metrics; verbs and their arguments."""
    return _vocabulary()
