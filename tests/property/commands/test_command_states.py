"""The life of a command, whatever comes in whatever order."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cloud_api.commands.states import ENDED, GATEWAY_WORDS, NEXT, Event, State, after, shown, table

ENDINGS = [Event.SUCCEEDED, Event.FAILED, Event.REJECTED, Event.EXPIRED, Event.CANCELLED, Event.UNKNOWN]
DOCS = Path(__file__).parents[3] / "docs" / "commands.md"


def play(events: list[Event], state: State = State.QUEUED) -> State:
    for event in events:
        state = after(state, event)
    return state


@given(st.lists(st.sampled_from(Event), max_size=12))
def test_an_ended_command_only_ever_gets_confirmed(events: list[Event]) -> None:
    states = [play(events[:count]) for count in range(len(events) + 1)]
    for state, following in pairwise(states):
        if state in ENDED and following is not state:
            assert state in {State.SUCCEEDED, State.UNKNOWN} and following is State.CONFIRMED


@given(st.data(), st.sampled_from(ENDINGS), st.booleans())
def test_the_gateways_words_lead_to_one_state_in_any_order(data: st.DataObject, ending: Event, lapsed: bool) -> None:
    """Doubled, reordered, and with the cloud's guess that it came too late anywhere between."""
    words = [Event.RECEIVED, Event.EXECUTING, ending]
    words += data.draw(st.lists(st.sampled_from(words), max_size=4))
    events = data.draw(st.permutations(words + [Event.TTL_PASSED] * lapsed))
    expected = GATEWAY_WORDS_TO_STATE[ending]
    assert play([Event.SENT, *events]) is expected


GATEWAY_WORDS_TO_STATE = {event: State(word) for word, event in GATEWAY_WORDS.items()}


@given(st.lists(st.sampled_from([event for event in Event if event is not Event.EFFECT_SEEN]), max_size=12))
def test_only_telemetry_confirms(events: list[Event]) -> None:
    assert play(events) is not State.CONFIRMED


@given(st.lists(st.sampled_from([Event.SENT, Event.TTL_PASSED, Event.CANCEL_ASKED, Event.EFFECT_SEEN]), max_size=12))
def test_without_the_gateways_word_nothing_is_received_or_done(events: list[Event]) -> None:
    assert play(events) in {State.QUEUED, State.SENT, State.LAPSED, State.EXPIRED, State.CANCELLED}


def test_succeeded_only_on_the_devices_word() -> None:
    reached_by = {event for row in NEXT.values() for event, state in row.items() if state is State.SUCCEEDED}
    assert reached_by == {Event.SUCCEEDED}


def test_one_that_was_never_sent_expires_and_is_final() -> None:
    assert play([Event.TTL_PASSED, Event.SENT, Event.EFFECT_SEEN]) is State.EXPIRED


def test_people_never_see_the_word_lapsed() -> None:
    assert shown(State.LAPSED) == "expired"
    assert {shown(state) for state in State} == {state.value for state in State} - {"lapsed"}


def test_the_documented_table_is_the_one_that_runs() -> None:
    assert table() in DOCS.read_text(encoding="utf-8"), f"put this into {DOCS}:\n{table()}"
