"""Line protocol from any frame: ids stay apart, nothing leaves its place in the line, no two points meet."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_api.telemetry.line_protocol import blocks_of, tag
from contracts.frame import decode_columns, encode_frame
from contracts.reading import Clock, Quality, Reading, Sample
from tests.integration.frames import EPOCH, T0

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.text("\\,= \"'%\n20a", min_size=1)
samples = st.one_of(
    st.floats(-60, 200).map(lambda value: Sample("temperature", value)),
    st.none().map(lambda _: Sample("temperature", None, Quality.BAD, "why")),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=10).map(
        lambda text: Sample("tag_id", text)
    ),
    st.booleans().map(lambda value: Sample("water_leak", value, Quality.UNCERTAIN, "why")),
)


@settings(deadline=None)
@given(st.lists(ids, min_size=2, max_size=2, unique=True))
def test_ids_stay_apart_and_hold_nothing_special(names: list[str]) -> None:
    first, second = map(tag, names)
    assert first != second
    assert not re.search(r"""[\s,=\\"'\x00-\x20]""", first, re.ASCII)


@settings(deadline=None)
@given(
    st.lists(st.tuples(ids, st.sampled_from([0, 0, 1]), samples), min_size=1, max_size=30),
    st.integers(0, 3_000_000),
)
def test_every_sample_has_a_line_of_its_own_time(said: list[tuple[str, int, Sample]], before: int) -> None:
    readings = [Reading(device, T0 + late, T0, Clock.DEVICE, (sample,)) for device, late, sample in said]
    lines, points = [], set()
    for seq, part in enumerate((readings[::2], readings[1::2]), 1):
        columns = decode_columns(encode_frame("gw-1", EPOCH, "bulk", seq, T0, before, part, []))
        before += len(part)
        for block in blocks_of(columns):
            lines += block.lines
            points |= set(zip(block.keys, block.times, strict=True))
            assert [block.line(at, block.fields[0]) for at in range(len(block.lines))] == block.lines
            assert [time // 1_000_000 for time in block.times] == block.t_ms
    assert len(lines) == len(points) == len(readings)
    form = re.compile(r'readings,device=[^ ,=]+,gateway=gw-1 [a-z_]+(\.quality)?=(".*"|[^ ",]+)(,[a-z_.]+=\di)? \d{19}')
    assert all(form.fullmatch(line) for line in lines)
