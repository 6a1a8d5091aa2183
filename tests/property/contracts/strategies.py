"""Anything that the vocabulary allows."""

from hypothesis import strategies as st

from contracts.messages import CommandProgress, DeviceSeen, Dropped, Refused, Reported
from contracts.reading import Clock, Quality, Reading, Sample
from contracts.vocabulary import METRICS, Metric

times = st.integers(1_262_304_000_000, 4_102_444_800_000)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40)


def values(metric: Metric) -> st.SearchStrategy[object]:
    """A value that may stand under this metric."""
    if metric.type == "boolean":
        return st.booleans()
    if metric.type == "enum":
        return st.sampled_from(metric.members)
    if metric.type == "text":
        return st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=128)
    whole = st.integers(int(metric.low), int(metric.high))
    floats = st.floats(metric.low, metric.high, allow_nan=False)
    decimals = st.decimals(int(metric.low), int(metric.high), places=metric.decimals).map(float)
    return st.one_of(whole, floats, decimals.filter(lambda value: metric.low <= value <= metric.high))


@st.composite
def samples(draw: st.DrawFn, metric: Metric) -> Sample:
    """A sample of this metric, maybe without a value, maybe doubtful."""
    if draw(st.integers(0, 9)) == 0:
        return Sample(metric.name, None, Quality.BAD, draw(st.sampled_from(["invalid_marker", "out_of_range"])))
    value = draw(values(metric))
    if draw(st.integers(0, 9)) == 0:
        return Sample(metric.name, value, Quality.UNCERTAIN, "retained")  # type: ignore[arg-type]
    return Sample(metric.name, value)  # type: ignore[arg-type]


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """A reading of one of a few devices, so that groups and dictionaries are shared."""
    names = draw(st.lists(st.sampled_from(list(METRICS)), min_size=1, max_size=5, unique=True))
    observed_ms = draw(times)
    return Reading(
        draw(st.sampled_from(["bay-1", "bay-2", "充电桩 3", "x" * 128])),
        observed_ms,
        observed_ms + draw(st.integers(-86_400_000, 10**11)),
        draw(st.sampled_from(Clock)),
        tuple(draw(samples(METRICS[name])) for name in names),
    )


records = st.one_of(
    st.builds(DeviceSeen, device=words, profile=words, profile_version=st.integers(1, 9), kind=words,
              verbs=st.lists(words, max_size=3), name=words, at_ms=times),
    st.builds(CommandProgress, command_id=words, state=st.sampled_from(["received", "succeeded", "unknown"]),
              reason=words, at_ms=times),
    st.builds(Refused, topic=words, reason=words, detail=words, profile=words, head=st.binary(max_size=64),
              size_bytes=st.integers(0, 10**6), count=st.integers(1, 9), at_ms=times),
    st.builds(Dropped, epoch=words, lane=st.sampled_from(["urgent", "bulk"]), first_seq=st.integers(1, 99),
              last_seq=st.integers(99, 999), samples=st.integers(0, 9999), reason=words, at_ms=times),
    st.builds(Reported, version=st.integers(0, 99), applied=st.booleans(), reason=words, at_ms=times),
)  # fmt: skip
