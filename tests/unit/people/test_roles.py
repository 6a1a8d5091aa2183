"""Who may do what: the table as it is promised, and that nobody gives what he has not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_api.people.roles import ACTING, MAY, Caller, Grant, Permission, Role, covers, may_give, where
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
