"""Our paths against the language they are a subset of: jmespath is the oracle."""

import contextlib
from typing import Any

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.profiles.expressions import ExpressionError, compile_expression
from edge_agent.profiles.paths import PathError, compile_path

NAMES = st.sampled_from(["a", "b", "c"])
WORDS = st.sampled_from(["x", "y", "", "em:0"])
KEYS = st.one_of(NAMES, st.just('"em:0"'), st.just('"q\\"k"'))
DOCUMENTS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), WORDS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "b", "c", "em:0", 'q"k']), inner, max_size=4),
    ),
    max_leaves=14,
)


@st.composite
def conditions(draw: st.DrawFn, depth: int = 0) -> str:
    """What stands in a filter."""
    key = draw(KEYS)
    simple = draw(
        st.sampled_from(
            [
                key,
                f"{key}=='x'",
                f"{key}!='y'",
                f"!{key}",
                f"{key}.{draw(NAMES)}=='x'",
                f"{key}==`1`",
                f"{key}!=`0`",
                f"{key}==`true`",
                f"{key}!=`null`",
                f'{key}==`"x"`',
            ]
        )
    )
    if depth == 2 or draw(st.booleans()):
        return simple
    other = draw(conditions(depth=depth + 1))
    return draw(st.sampled_from([f"{simple} && {other}", f"{simple} || {other}", f"({simple} || {other}) && {key}"]))


@st.composite
def paths(draw: st.DrawFn) -> str:
    """A path of our language. Not ``x.*.a.b``: the oracle lets ``.*`` project one key only there, and two after ``[*]``."""
    text = draw(st.one_of(KEYS, st.just("@"), st.just("*")))
    for _ in range(draw(st.integers(0, 4))):
        text += draw(
            st.one_of(
                KEYS.map(lambda key: f".{key}"),
                st.sampled_from(
                    ["[0]", "[1]", "[-1]", "[*]", ".* | [0]", ".*[?a]", " | [0]", " | a", " | [0].b", " | @"]
                ),
                conditions().map(lambda condition: f"[?{condition}]"),
                conditions().map(lambda condition: f"[?{condition}] | [0].{'a'}"),
            )
        )
    return text


@given(paths(), DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_a_path_finds_what_jmespath_finds(path: str, document: Any) -> None:
    found = compile_path(path)(document)
    wanted = jmespath.search(path, document)
    assert found == wanted and type(found) is type(wanted)


@given(st.text(alphabet="abc.[]*?'\"|&!=@() 01-{}`,:", max_size=12))
@settings(max_examples=200)
def test_what_is_not_a_path_is_refused_and_nothing_else_happens(text: str) -> None:
    try:
        path = compile_path(text)
    except PathError:
        return
    path({"a": [{"b": 1}]})
    jmespath.compile(text)  # and what we take is a path there, too


EXPRESSIONS = st.text(alphabet="xyb0123456789+-*/%<>=&|^()[],. '\"notandirelfsh", max_size=16)


@given(EXPRESSIONS)
@settings(max_examples=200)
def test_an_expression_is_refused_or_calculates_and_nothing_else(text: str) -> None:
    try:
        expression = compile_expression(text)
    except ExpressionError:
        return
    names = {"x": 3, "y": "word", "b": b"\x01\x02", "document": {}, "root": {}}
    with contextlib.suppress(KeyError, TypeError, ValueError, ArithmeticError, IndexError):
        expression(names)


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "x.real", "x**9", "lambda: 1", "[i for i in b]", "open('f')", "b[0:1]", "f'{x}'", "x if",
     "min(x, key=y)", "(x := 1)", "has(x)", "1j", "...", "b''", "{1: 2}", "~x", "x[0]", "print(x)"],
)  # fmt: skip
def test_what_is_not_in_the_language_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_expression(text)


@given(st.integers(-(2**40), 2**40), st.integers(1, 255))
def test_expressions_calculate_as_python_does(x: int, y: int) -> None:
    for text in ("(x >> 3) & y", "x % y + x // y", "min(x, y) - max(x, 4)", "abs(x) / y", "x | y ^ 5", "-x if x < y else y",
                 "clamp(x, -y, y)", "x in (y, 3)", "x == y or not x", "round(x / y, 2)", "x << (y & 7)"):  # fmt: skip
        wanted = eval(text, {"clamp": lambda v, lo, hi: max(lo, min(hi, v))}, {"x": x, "y": y})
        assert compile_expression(text)({"x": x, "y": y}) == wanted


def test_a_text_can_not_be_made_to_grow() -> None:
    for text in ("x * 1000000", "1000000 * x", "x % 3"):
        with pytest.raises(TypeError):
            compile_expression(text)({"x": "text"})
    with pytest.raises(ValueError, match="shift"):
        compile_expression("1 << x")({"x": 10**9})
