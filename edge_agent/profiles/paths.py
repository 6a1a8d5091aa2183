"""Paths into a decoded JSON document, compiled once to closures.

A subset of JMESPath with its semantics: ``a.b``, ``"quoted:key"``, ``[0]``, ``[-1]``, ``[*]``, ``*`` (values of an
object), ``[?a=='x' && b!=`1` || !c]``, ``expr | [0]``, and ``@`` for the document itself. What is not there is None.
"""

import json
import re
from collections.abc import Callable
from typing import Any

Path = Callable[[Any], Any]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<name>[A-Za-z_][A-Za-z0-9_]*) | (?P<literal>'(?:[^'\\]|\\.)*') | (?P<json>`[^`]*`)
    | (?P<number>-?\d+) | (?P<filter>\[\?) | (?P<op>==|!=|&&|\|\||[\[\].*|!@()])
    )""",
    re.VERBOSE,
)


class PathError(ValueError):
    """The text is not a path of our language."""


def compile_path(text: str) -> Path:
    """A function from a document to what stands at the path, or None. Raises PathError."""
    parser = _Parser(text)
    path = parser.pipe()
    if parser.kind != "end":
        raise PathError(f"unexpected {parser.text!r} in path {text!r}")
    return _quick(path)


def keys_of(text: str) -> tuple[str, ...]:
    """The keys, when the path is nothing but one key after another; else none."""
    parser = _Parser(text)
    path = parser.pipe()
    return path.names if isinstance(path, _Keys) and parser.kind == "end" else ()


def single_key(text: str) -> str | None:
    """The key, when the path is nothing but one; else None."""
    keys = keys_of(text)
    return keys[0] if len(keys) == 1 else None


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.place = 0
        self.kind = ""
        self.text = ""
        self.next()

    def next(self) -> None:
        if not self.source[self.place :].strip():
            self.kind, self.text = "end", ""
            return
        match = _TOKEN.match(self.source, self.place)
        if match is None:
            raise PathError(f"unexpected {self.source[self.place :]!r} in path {self.source!r}")
        self.place = match.end()
        self.kind = match.lastgroup or ""
        self.text = match.group(self.kind)

    def take(self, text: str) -> bool:
        if self.kind in ("op", "filter") and self.text == text:
            self.next()
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise PathError(f"{text!r} is missing in path {self.source!r}")

    def pipe(self) -> Path:
        path = self.chain()
        while self.take("|"):
            following = self.chain()
            if isinstance(path, _Projection) and isinstance(following, _First):
                path = _first_of(path, following.rest)
            else:
                path = _then(path, following)
        return path

    def chain(self) -> Path:
        if self.take("@"):
            return self.rest(_itself)
        if self.kind in ("name", "quoted"):
            return self.rest(self.key())
        if self.take("*"):
            return _Projection(_values, None, self.rest(_itself))
        if self.kind == "filter" or (self.kind == "op" and self.text == "["):
            return self.rest(_itself)
        raise PathError(f"a path can't begin with {self.text!r}: {self.source!r}")

    def key(self) -> Path:
        name = self.text if self.kind == "name" else re.sub(r"\\(.)", r"\1", self.text[1:-1])
        self.next()
        return _Keys((name,))

    def rest(self, path: Path, in_filter: bool = False) -> Path:
        """What follows. in_filter: of a filter's elements. A filter after their keys is of the list, as in JMESPath."""
        while True:
            if self.take("."):
                if self.take("*"):
                    path = _Projection(_then(path, _values), None, self.rest(_itself, in_filter=True))
                    continue
                if self.kind not in ("name", "quoted"):
                    raise PathError(f"a key is missing after '.' in path {self.source!r}")
                path = _then(path, self.key())
            elif self.take("["):
                if self.take("*"):
                    self.need("]")
                    return _Projection(_then(path, _elements), None, self.rest(_itself))
                if self.kind != "number":
                    raise PathError(f"a number or * is missing after '[' in path {self.source!r}")
                path = _then(path, _index(int(self.text)))
                self.next()
                self.need("]")
            elif (not in_filter or path is _itself) and self.take("[?"):
                condition = self.either()
                self.need("]")
                path = _Projection(path, condition, self.rest(_itself, in_filter=True))
            else:
                return path

    def either(self) -> Path:
        left = self.both()
        while self.take("||"):
            left = _or(left, self.both())
        return left

    def both(self) -> Path:
        left = self.condition()
        while self.take("&&"):
            left = _and(left, self.condition())
        return left

    def condition(self) -> Path:
        if self.take("!"):
            inner = _quick(self.condition())
            return lambda value: _false(inner(value))
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        path = self.chain()
        for sign, wanted in (("==", True), ("!=", False)):
            if self.take(sign):
                return _compare(path, self.literal(sign), wanted)
        return _quick(path)

    def literal(self, sign: str) -> Any:
        """A text, number, boolean or null."""
        text = self.text[1:-1]
        if self.kind == "literal":
            found = re.sub(r"\\(.)", r"\1", text)
        elif self.kind == "json":
            try:
                found = json.loads(text)
            except ValueError as error:
                raise PathError(f"`{text}` is not JSON in path {self.source!r}") from error
        else:
            raise PathError(f"a 'text' or a `number` is missing after {sign} in path {self.source!r}")
        if isinstance(found, list | dict):
            raise PathError(f"only texts, numbers, `true`, `false` and `null` are compared: {self.source!r}")
        self.next()
        return found


def _itself(value: Any) -> Any:
    return value


class _Keys:
    """One key after another: the usual path. ``_quick`` makes it a closure."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, value: Any) -> Any:
        for name in self.names:
            value = value.get(name) if type(value) is dict else None
        return value


class _Projection:
    """What stands at ``each`` in every element of ``base``, without what is None."""

    __slots__ = ("base", "each", "keep")

    def __init__(self, base: Path, keep: Path | None, each: Path) -> None:
        self.base = _quick(base)
        self.keep = keep
        self.each = _quick(each)

    def __call__(self, value: Any) -> Any:
        elements = self.base(value)
        if type(elements) is not list:
            return None
        keep, each = self.keep, self.each
        if keep is not None:
            elements = [element for element in elements if not _false(keep(element))]
        if each is _itself:
            return [element for element in elements if element is not None]
        return [found for element in elements if (found := each(element)) is not None]


class _First:
    """``[0]`` and what follows it: after a projection, one need not look further than the first that is there."""

    __slots__ = ("rest",)

    def __init__(self, rest: Path) -> None:
        self.rest = rest

    def __call__(self, value: Any) -> Any:
        return self.rest(value[0]) if type(value) is list and value and value[0] is not None else None


def _first_of(projection: _Projection, rest: Path) -> Path:
    base, keep, each = projection.base, projection.keep, projection.each
    rest = _quick(rest)

    def first(value: Any) -> Any:
        elements = base(value)
        if type(elements) is not list:
            return None
        for element in elements:
            if (keep is None or not _false(keep(element))) and (found := each(element)) is not None:
                return rest(found)
        return None

    return first


def _quick(path: Path) -> Path:
    """The same path; keys as closures, which Python calls faster than objects."""
    if not isinstance(path, _Keys):
        return path
    if len(path.names) == 1:
        (name,) = path.names
        return lambda value: value.get(name) if type(value) is dict else None
    if len(path.names) == 2:
        outer, inner = path.names

        def two(value: Any) -> Any:
            found = value.get(outer) if type(value) is dict else None
            return found.get(inner) if type(found) is dict else None

        return two
    return path


def _then(first: Path, second: Path) -> Path:
    if first is _itself:
        return second
    if second is _itself:
        return first
    if isinstance(first, _Keys) and isinstance(second, _Keys):
        return _Keys(first.names + second.names)
    if isinstance(first, _First):
        return _First(_then(first.rest, second))
    first, second = _quick(first), _quick(second)

    def both(value: Any) -> Any:
        found = first(value)
        return None if found is None else second(found)

    return both


def _index(place: int) -> Path:
    if place == 0:
        return _First(_itself)

    def index(value: Any) -> Any:
        if type(value) is list and -len(value) <= place < len(value):
            return value[place]
        return None

    return index


def _values(value: Any) -> Any:
    return list(value.values()) if type(value) is dict else None


def _elements(value: Any) -> Any:
    return value if type(value) is list else None


def _compare(path: Path, literal: str | int | float | bool | None, wanted: bool) -> Path:
    if not isinstance(literal, str):
        of_kind = (bool,) if isinstance(literal, bool) else (type(None),) if literal is None else (int, float)
        path = _quick(path)
        return lambda value: (type(found := path(value)) in of_kind and found == literal) is wanted
    if isinstance(path, _Keys) and len(path.names) == 1:
        (name,) = path.names
        if wanted:
            return lambda value: type(value) is dict and value.get(name) == literal
        return lambda value: type(value) is not dict or value.get(name) != literal
    path = _quick(path)
    return lambda value: (path(value) == literal) is wanted


def _and(left: Path, right: Path) -> Path:
    return lambda value: right(value) if not _false(found := left(value)) else found


def _or(left: Path, right: Path) -> Path:
    return lambda value: found if not _false(found := left(value)) else right(value)


def _false(value: Any) -> bool:
    """JMESPath's falsehood: null, false, and what is empty; zero is true."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
