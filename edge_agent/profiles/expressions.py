"""Small expressions in profiles: arithmetic, comparison, choice. Parsed once with a whitelist; nothing is evaluated as code.

The text is parsed by Python's own parser; only the node types below are allowed, and each becomes a closure over a
dictionary of names. No attribute, no subscript but ``b[n]``, no call but the listed functions, no power; a product is of
numbers only, so that no payload can make a text grow.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.profiles.paths import compile_path, single_key

Expression = Callable[[Mapping[str, Any]], Any]


class ExpressionError(ValueError):
    """The text is not an expression of our language."""


def _clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value))


def _product(left: Any, right: Any) -> Any:
    if isinstance(left, str | list | tuple | bytes) or isinstance(right, str | list | tuple | bytes):
        raise TypeError("a product of texts")
    return left * right


def _remainder(left: Any, right: Any) -> Any:
    if isinstance(left, str | bytes):
        raise TypeError("a remainder of a text")
    return left % right


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "min": min, "max": max, "round": round, "int": int, "clamp": _clamp, "len": len,
}  # fmt: skip
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _product, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: _remainder, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
SHIFT_MAX = 64


def _shift_left(value: int, by: int) -> int:
    if not 0 <= by <= SHIFT_MAX:
        raise ValueError("shift out of range")
    return value << by


def expression_names(text: str) -> set[str]:
    """The names that the expression uses: fields, captures, and what ``has`` and ``at`` look into."""
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError):
        return set()  # compile_expression says what is wrong
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    return used - set(FUNCTIONS) - {"has", "at"}


def compile_expression(text: str) -> Expression:
    """A function from names to the value. It may raise KeyError, TypeError, ValueError or ArithmeticError when called.

    Raises ExpressionError for anything that is not in the language.
    """
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"not an expression: {text!r}") from error
    return _compile(tree.body, text)


def _compile(node: ast.expr, text: str) -> Expression:
    def part(child: ast.expr) -> Expression:
        return _compile(child, text)

    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None):
        constant = node.value
        return lambda names: constant
    if isinstance(node, ast.Name):
        name = node.id
        return lambda names: names[name]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift | ast.RShift):
        left, right = part(node.left), part(node.right)
        if isinstance(node.op, ast.LShift):
            return lambda names: _shift_left(left(names), right(names))
        return lambda names: left(names) >> right(names)
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        left, right, act = part(node.left), part(node.right), _BINARY[type(node.op)]
        return lambda names: act(left(names), right(names))
    if isinstance(node, ast.UnaryOp):
        inner = part(node.operand)
        if isinstance(node.op, ast.USub):
            return lambda names: -inner(names)
        if isinstance(node.op, ast.Not):
            return lambda names: not inner(names)
    if isinstance(node, ast.BoolOp):
        parts = [part(value) for value in node.values]
        if len(parts) == 2:
            first, second = parts
            if isinstance(node.op, ast.And):
                return lambda names: bool(first(names) and second(names))
            return lambda names: bool(first(names) or second(names))
        return _chain(parts, until=isinstance(node.op, ast.Or))
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        if isinstance(node.left, ast.Name) and isinstance(node.comparators[0], ast.Constant):
            return _compare_name(node.left.id, type(node.ops[0]), node.comparators[0].value)
        if (at := _byte_place(node.left)) is not None and isinstance(node.comparators[0], ast.Constant):
            return _compare_byte(at, _COMPARE[type(node.ops[0])], node.comparators[0].value)
        left, right, compare = part(node.left), part(node.comparators[0]), _COMPARE[type(node.ops[0])]
        return lambda names: compare(left(names), right(names))
    if isinstance(node, ast.IfExp):
        test, then, other = part(node.test), part(node.body), part(node.orelse)
        return lambda names: then(names) if test(names) else other(names)
    if isinstance(node, ast.Tuple | ast.List):
        parts = [part(value) for value in node.elts]
        return lambda names: tuple([each(names) for each in parts])
    if (at := _byte_place(node)) is not None:
        byte = at
        return lambda names: names["b"][byte]
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "b":
        place = part(node.slice)
        return lambda names: names["b"][place(names)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id == "has" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            path = compile_path(str(node.args[0].value))
            key = single_key(str(node.args[0].value))
            if key is not None:
                return lambda names: type(there := names["document"]) is dict and there.get(key) is not None
            return lambda names: path(names["document"]) is not None
        if node.func.id == "at" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            there = compile_path(str(node.args[0].value))
            return lambda names: there(names["root"])
        parts = [part(value) for value in node.args]
        if (function := FUNCTIONS.get(node.func.id)) is not None:
            return lambda names: function(*[each(names) for each in parts])
    raise ExpressionError(f"{ast.unparse(node)!r} is not allowed in {text!r}")


def _chain(parts: list[Expression], until: bool) -> Expression:
    """All of the parts (until False: one that is not) or any of them (until True: one that is)."""

    def chain(names: Mapping[str, Any]) -> bool:
        for part in parts:
            if bool(part(names)) is until:
                return until
        return not until

    return chain


def _byte_place(node: ast.expr) -> int | None:
    """n, where the node is ``b[n]`` with a number; else None."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "b"):
        return None
    return node.slice.value if isinstance(node.slice, ast.Constant) and type(node.slice.value) is int else None


def _compare_byte(place: int, compare: Callable[[Any, Any], Any], constant: Any) -> Expression:
    return lambda names: compare(names["b"][place], constant)


def _compare_name(name: str, sign: type[ast.cmpop], constant: Any) -> Expression:
    if sign is ast.Eq:
        return lambda names: names[name] == constant
    compare = _COMPARE[sign]
    return lambda names: compare(names[name], constant)
