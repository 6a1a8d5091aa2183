"""A site's fuse: never exceeded by what chargers truly may draw, whatever is lost; fair, and still when nothing changes."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.ocpp.fuse import (
    AMPS_MIN,
    PHASES,
    RAISE_A_MIN,
    TURN_MS,
    Charger,
    Site,
    changes,
    fail_safe,
    fail_safes,
    may_start,
    share,
)

FALL_BACK_MS = 60_000


class Outlet:
    """The truth of one charger, and its wire: what it may really draw, and the questions that it has not read yet."""

    def __init__(self, charger: Charger) -> None:
        self.known = charger
        self.limit_a = self.fail_safe_a = charger.maximum_a  # as it came from the factory
        self.fallen = False
        self.up = self.let_in = self.told = True
        self.wire: list[tuple[str, float]] = []
        self.asking: tuple[str, float] | None = None  # what an answer would be taken for: the last question

    @property
    def could_a(self) -> float:
        """What it may draw: its limit or, should its link fail this moment, its fail-safe."""
        if not self.let_in:
            return 0
        return self.fail_safe_a if self.fallen else max(self.limit_a, self.fail_safe_a)

    def send(self, what: str, amps: float) -> None:
        self.known = self.known.asked(amps) if what == "limit" else self.known.fail_safe_asked(amps)
        self.wire.append((what, amps))
        self.asking = (what, amps)

    def read(self, now_ms: int, answered: bool) -> None:
        if not self.wire:
            return
        what, amps = question = self.wire.pop(0)
        if what == "limit":
            self.limit_a, self.fallen = amps, False
        else:
            self.fail_safe_a = amps
        if answered and self.up and not self.wire and self.asking == question:
            known, self.asking = self.known, None
            self.known = known.confirmed(amps, now_ms) if what == "limit" else known.fail_safe_confirmed(amps)
            self.told = self.told or what == "fail_safe"

    def cut(self) -> None:
        self.up = False

    def noticed(self, now_ms: int) -> None:
        """We see the cut. Nothing that was on the wire arrives after this."""
        self.wire, self.asking, self.up = [], None, False
        self.known = self.known.lost(now_ms)

    def back(self, now_ms: int) -> None:
        self.noticed(now_ms)
        self.up = True
        self.known = self.known.linked(now_ms, FALL_BACK_MS)

    def restart(self, now_ms: int) -> None:
        """It starts, has forgotten everything, and waits to be let in; what was on the wire is lost."""
        self.back(now_ms)
        self.fallen, self.let_in, self.told = True, False, False
        self.fail_safe_a = self.known.maximum_a

    def time_passes(self, now_ms: int) -> None:
        if self.known.lost_ms is not None and now_ms >= self.known.lost_ms + FALL_BACK_MS:
            self.fallen = True


CHARGERS = st.lists(
    st.tuples(st.sampled_from([6.0, 10.0, 16.0, 32.0]), st.sampled_from([(1,), (2,), (3,), PHASES])),
    min_size=1,
    max_size=5,
)
SITES = st.builds(
    Site, st.sampled_from([10.0, 25.0, 40.0, 63.5, 100.0]), st.sampled_from([0.0, 6.0, 8.0]), st.just(FALL_BACK_MS)
)


EVENTS = (
    "time", "want", "want", "plan", "plan", "read", "read", "cut", "notice", "back", "fall", "restart", "boot", "boot",
)  # fmt: skip


def outlets(chargers: list[tuple[float, tuple[int, ...]]]) -> list[Outlet]:
    return [Outlet(Charger(f"cp{n}", maximum, phases)) for n, (maximum, phases) in enumerate(chargers)]


def drawn(site: list[Outlet]) -> dict[int, float]:
    return {phase: sum(outlet.could_a for outlet in site if phase in outlet.known.phases) for phase in PHASES}


def plan(site: Site, known: list[Charger], now_ms: int) -> dict[str, float]:
    return changes(site, known, share(site, known, now_ms), now_ms)


@settings(max_examples=150, deadline=None)
@given(site=SITES, chargers=CHARGERS, seed=st.integers(0, 2**32))
def test_never_more_than_the_fuse_whatever_is_lost(
    site: Site, chargers: list[tuple[float, tuple[int, ...]]], seed: int
) -> None:
    """Chargers come unlimited from the factory: until all are told it may be too much, but then it never grows."""
    random, all_of_them, now_ms = Random(seed), outlets(chargers), 0
    if seed % 3:
        settle(site, all_of_them, now_ms)
    before = drawn(all_of_them)
    for _ in range(100):
        outlet = random.choice(all_of_them)
        what = random.choice(EVENTS)
        if what == "time":
            now_ms += random.choice((100, 20_000, FALL_BACK_MS, TURN_MS))
        elif what == "want":
            for one in random.sample(all_of_them, random.randint(1, len(all_of_them))):
                one.known = one.known.wants(random.choice((0, 6, 13, 32)), now_ms)
        elif what == "plan":
            known = [one.known for one in all_of_them]
            send = plan(site, known, now_ms)
            for one in all_of_them:
                if one.known.id in send and one.known.lost_ms is None and random.random() < 0.8:
                    one.send("limit", send[one.known.id])
            for name, amps in fail_safes(site, [one.known for one in all_of_them], now_ms).items():
                next(one for one in all_of_them if one.known.id == name).send("fail_safe", amps)
            for one in all_of_them:
                if not one.told and one.up and not one.wire and one.known.fail_safe_a is not None:
                    one.send("fail_safe", one.known.fail_safe_a)
        elif what == "read":
            for one in random.sample(all_of_them, random.randint(1, len(all_of_them))):
                one.read(now_ms, answered=random.random() < 0.7)
        elif what == "cut":
            outlet.cut()
        elif what == "notice" and not outlet.up:
            outlet.noticed(now_ms)
        elif what == "back":
            outlet.back(now_ms)
        elif what == "restart":
            outlet.restart(now_ms)
        elif what == "boot":
            for one in [one for one in all_of_them if not one.let_in]:
                known = [each.known for each in all_of_them]
                if may_start(site, known, one.known, one.told, now_ms):
                    one.let_in = True
                    one.known = one.known if one.told else one.known.unbounded()
        for one in all_of_them:
            one.time_passes(now_ms)
        after = drawn(all_of_them)
        for phase in PHASES:
            assert after[phase] <= max(site.fuse_a, before[phase]) + 1e-6, (what, phase, now_ms)
        before = after


def settle(site: Site, all_of_them: list[Outlet], now_ms: int) -> int:
    """Tell everyone everything until nothing is left to tell. Returns how many limits were sent."""
    sent = 0
    for _ in range(50):
        known = [one.known for one in all_of_them]
        before = sent
        safe, send = fail_safes(site, known, now_ms), plan(site, known, now_ms)
        for one in all_of_them:
            for what, amps in (("fail_safe", safe.get(one.known.id)), ("limit", send.get(one.known.id))):
                if amps is not None:
                    one.send(what, amps)
                    one.read(now_ms, answered=True)
                    sent += 1
        if sent == before:
            return sent
    raise AssertionError("it never comes to rest")


@settings(max_examples=150, deadline=None)
@given(site=SITES, chargers=CHARGERS, wants=st.lists(st.sampled_from([0.0, 7.0, 32.0]), min_size=5, max_size=5))
def test_it_is_fair_and_comes_to_rest(
    site: Site, chargers: list[tuple[float, tuple[int, ...]]], wants: list[float]
) -> None:
    all_of_them = outlets(chargers)
    for outlet, amps in zip(all_of_them, wants, strict=False):
        outlet.known = outlet.known.wants(amps, 0)
    settle(site, all_of_them, 0)
    assert all(total <= site.fuse_a + 1e-6 for total in drawn(all_of_them).values())
    assert settle(site, all_of_them, 1_000) == 0, "nothing has changed, so nothing is said"
    assert fail_safe(site, [one.known for one in all_of_them]) in (0.0, site.fail_safe_a)
    held = [one for one in all_of_them if one.known.wanted_a]
    for one in held:
        assert one.limit_a == 0 or one.limit_a >= AMPS_MIN
        room = min(site.fuse_a - drawn(all_of_them)[phase] for phase in one.known.phases)
        most = min(one.known.maximum_a, max(one.known.wanted_a, AMPS_MIN))
        richer = [other.limit_a for other in held if set(other.known.phases) & set(one.known.phases)]
        if one.limit_a >= AMPS_MIN and one.limit_a < most - RAISE_A_MIN:
            assert room < len(held) * (RAISE_A_MIN + 0.1), "there was room to give it more"
            assert min(most, max(richer)) - one.limit_a <= max(richer) - min(richer) + 1e-6
        if one.limit_a == 0:
            assert room < AMPS_MIN, "there was room for 6 A"


def test_a_charger_that_takes_no_limit_is_let_in_once_the_others_have_made_room() -> None:
    site = Site(40.0, 6.0, FALL_BACK_MS)
    rich = Charger("rich", 32, wanted_a=32, confirmed_a=26, fail_safe_a=6)
    new = Charger("new", 32, confirmed_a=6, fail_safe_a=6)
    assert may_start(site, [rich, new], new, True, 0)
    assert not may_start(site, [rich, new], new, False, 0), "it may be another piece of hardware"
    assert plan(site, [rich, new], 0)["rich"] == 32.0, "a restart alone makes nobody pause"
    new = new.refused()
    assert plan(site, [rich, new], 0)["rich"] == 8.0
    rich = rich.asked(8).confirmed(8, 0)
    assert may_start(site, [rich, new], new, False, 0)
    assert not may_start(Site(30.0, 0.0, FALL_BACK_MS), [new], new, False, 0), "no fuse carries it"


def test_max_min_on_one_phase() -> None:
    site = Site(40.0, 0.0, FALL_BACK_MS)
    known = [Charger(str(n), 32, wanted_a=amps) for n, amps in enumerate((32, 32, 8))]
    assert share(site, known, 0) == {"0": 16.0, "1": 16.0, "2": 8.0}


def test_a_full_phase_does_not_hold_back_the_others() -> None:
    site = Site(20.0, 0.0, FALL_BACK_MS)
    known = [Charger("a", 32, (1,), 32), Charger("b", 32, (1,), 32), Charger("c", 32, (2,), 32)]
    assert share(site, known, 0) == {"a": 10.0, "b": 10.0, "c": 20.0}


def test_they_take_turns_when_not_all_can_have_six_amperes() -> None:
    site, all_of_them = Site(14.0, 6.0, FALL_BACK_MS), outlets([(16.0, PHASES)] * 5)
    had_ms = dict.fromkeys((one.known.id for one in all_of_them), 0)
    changes_sent = 0
    for outlet in all_of_them:
        outlet.known = outlet.known.wants(16, 0)
    for minute in range(10 * 60):
        changes_sent += settle(site, all_of_them, minute * 60_000)
        for outlet in all_of_them:
            had_ms[outlet.known.id] += 60_000 * (outlet.limit_a >= AMPS_MIN)
    assert max(had_ms.values()) <= 1.4 * min(had_ms.values())
    assert sum(had_ms.values()) == 2 * 10 * 60 * 60_000, "two always charge"
    assert changes_sent <= 10 * 60 / 15 * 4 + 10, "and they change places only when a turn is over"


def test_raises_wait_until_reductions_are_confirmed() -> None:
    site = Site(20.0, 0.0, FALL_BACK_MS)
    rich = Charger("rich", 32, wanted_a=32, confirmed_a=20, fail_safe_a=0)
    poor = Charger("poor", 32, wanted_a=32, confirmed_a=0, fail_safe_a=0)
    assert plan(site, [rich, poor], 0) == {"rich": 10.0}
    rich = rich.asked(10)
    assert "poor" not in plan(site, [rich, poor], 0)
    assert "poor" not in plan(site, [rich.lost(0), poor], FALL_BACK_MS - 1), "it may still draw 20 A"
    assert plan(site, [rich.lost(0), poor], FALL_BACK_MS) == {"poor": 20.0}
    assert plan(site, [rich.confirmed(10, 0), poor], 0) == {"poor": 10.0}
