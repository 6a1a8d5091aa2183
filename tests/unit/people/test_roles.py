"""Who may do what: the table as it is promised, and that nobody gives what he has not."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people.roles import ACTING, GIVES, MAY, Caller, Grant, Permission, Role, covers, may_give, where
from device_registry import EVERYWHERE, NOWHERE

grants = st.builds(Grant, st.sampled_from(list(Role)), st.sampled_from(["", "willow", "oak"]))
held = st.lists(grants, max_size=5)


def test_the_authority_only_looks() -> None:
    assert MAY[Role.SUPERVISING_AUTHORITY] == {Permission.SEE, Permission.AUDIT}
    assert Role.SUPERVISING_AUTHORITY not in ACTING


def test_residents_have_what_is_public_and_their_own() -> None:
    assert MAY[Role.RESIDENT] == frozenset()


def test_only_an_administrator_may_do_everything() -> None:
    assert [role for role in Role if MAY[role] == frozenset(Permission)] == [Role.ADMINISTRATOR]


def test_the_console_offers_the_roles_that_can_be_given() -> None:
    text = (Path(__file__).parents[3] / "web" / "src" / "people" / "grants.ts").read_text()
    table = re.search(r"const GIVES[^{]*\{(.*?)\};", text, re.DOTALL)
    assert table is not None
    offered = {role: set(re.findall(r'"(\w+)"', given)) for role, given in re.findall(r"(\w+): \[(.*?)\]", table[1])}
    assert offered == {
        role.value: {each.value for each in GIVES[role]} for role in GIVES if role is not Role.ADMINISTRATOR
    }
    assert "administrator: ROLES" in table[1]
    all_roles = re.search(r"ROLES: readonly Role\[\] = \[(.*?)\]", text, re.DOTALL)
    assert all_roles is not None and set(re.findall(r'"(\w+)"', all_roles[1])) == {role.value for role in Role}


@pytest.mark.parametrize("role", Role)
def test_a_role_is_good_where_it_was_given(role: Role) -> None:
    caller = Caller("user-1", "chen", (Grant(role, "willow"),), "s")
    for permission in Permission:
        assert caller.where(permission) == ({"willow"} if permission in MAY[role] else NOWHERE)
        assert where([Grant(role, "")], permission) == (EVERYWHERE if permission in MAY[role] else NOWHERE)


@given(held, grants)
def test_nobody_gives_a_role_that_may_more_than_he_may_there(has: list[Grant], wanted: Grant) -> None:
    if may_give(has, wanted):
        assert covers(has, wanted)


@given(held, grants)
def test_a_token_covers_nothing_that_its_maker_has_not(has: list[Grant], wanted: Grant) -> None:
    for permission in Permission if covers(has, wanted) else ():
        had, got = where(has, permission), where([wanted], permission)
        assert had is None or (got is not None and got <= had)
