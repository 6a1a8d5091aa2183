"""Paths into a decoded JSON document, compiled once to closures.

A subset of JMESPath with its semantics: ``a.b``, ``"quoted:key"``, ``[0]``, ``[-1]``, ``[*]``, ``*`` (values of an
object), ``[?a=='x' && b!='y' || !c]``, ``expr | [0]``, and ``@`` for the document itself. What is not there is None.
"""

import re
from collections.abc import Callable
from typing import Any

Path = Callable[[Any], Any]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<name>[A-Za-z_][A-Za-z0-9_]*) | (?P<literal>'(?:[^'\\]|\\.)*')
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
    return path


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
            path = _then(path, self.chain())
        return path

    def chain(self) -> Path:
        if self.take("@"):
            return self.rest(_itself)
        if self.kind in ("name", "quoted"):
            return self.rest(self.key())
        if self.take("*"):
            return _project(_values, self.rest(_itself))
        if self.kind == "filter" or (self.kind == "op" and self.text == "["):
            return self.rest(_itself)
        raise PathError(f"a path can't begin with {self.text!r}: {self.source!r}")

    def key(self) -> Path:
        name = self.text if self.kind == "name" else re.sub(r"\\(.)", r"\1", self.text[1:-1])
        self.next()
        return lambda value: value.get(name) if type(value) is dict else None

    def rest(self, path: Path) -> Path:
        while True:
            if self.take("."):
                if self.take("*"):
                    return _project(_then(path, _values), self.rest(_itself))
                if self.kind not in ("name", "quoted"):
                    raise PathError(f"a key is missing after '.' in path {self.source!r}")
                path = _then(path, self.key())
            elif self.take("["):
                if self.take("*"):
                    self.need("]")
                    return _project(_then(path, _elements), self.rest(_itself))
                if self.kind != "number":
                    raise PathError(f"a number or * is missing after '[' in path {self.source!r}")
                path = _then(path, _index(int(self.text)))
                self.next()
                self.need("]")
            elif self.take("[?"):
                condition = self.either()
                self.need("]")
                return _project(_then(path, _filter(condition)), self.rest(_itself))
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
            inner = self.condition()
            return lambda value: _false(inner(value))
        if self.take("("):
            inner = self.either()
            self.need(")")
            return inner
        path = self.chain()
        for sign, wanted in (("==", True), ("!=", False)):
            if self.take(sign):
                if self.kind != "literal":
                    raise PathError(f"a 'text' is missing after {sign} in path {self.source!r}")
                literal = re.sub(r"\\(.)", r"\1", self.text[1:-1])
                self.next()
                return _compare(path, literal, wanted)
        return path


def _itself(value: Any) -> Any:
    return value


def _then(first: Path, second: Path) -> Path:
    if first is _itself:
        return second
    if second is _itself:
        return first

    def both(value: Any) -> Any:
        found = first(value)
        return None if found is None else second(found)

    return both


def _index(place: int) -> Path:
    def index(value: Any) -> Any:
        if type(value) is list and -len(value) <= place < len(value):
            return value[place]
        return None

    return index


def _values(value: Any) -> Any:
    return list(value.values()) if type(value) is dict else None


def _elements(value: Any) -> Any:
    return value if type(value) is list else None


def _filter(condition: Path) -> Path:
    return lambda value: [e for e in value if not _false(condition(e))] if type(value) is list else None


def _project(base: Path, each: Path) -> Path:
    def project(value: Any) -> Any:
        elements = base(value)
        if elements is None:
            return None
        return [found for element in elements if (found := each(element)) is not None]

    return project


def _compare(path: Path, literal: str, wanted: bool) -> Path:
    return lambda value: (path(value) == literal) is wanted


def _and(left: Path, right: Path) -> Path:
    return lambda value: right(value) if not _false(found := left(value)) else found


def _or(left: Path, right: Path) -> Path:
    return lambda value: found if not _false(found := left(value)) else right(value)


def _false(value: Any) -> bool:
    """JMESPath's falsehood: null, false, and what is empty; zero is true."""
    return value is None or value is False or (isinstance(value, str | list | dict) and not value)
