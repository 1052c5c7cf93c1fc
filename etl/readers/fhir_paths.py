"""The part of FHIRPath that tables over FHIR resources need, compiled to Python functions.

Grammar: ``member``, ``.``, ``[n]``, functions, ``=``, ``!=``, ``and``, ``or``, literals, ``$this``, ``%resource`` and
``%rowIndex``. Everything else is refused when the declaration is read. Source: FHIRPath 2.0.0, SQL on FHIR 2.0.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Node = Any  # what JSON can hold
Nodes = list[Node]


@dataclass(slots=True)
class Scope:
    """What a path may need beside its node."""

    resource: dict[str, Any]
    keys: dict[str, str] = field(default_factory=dict)  # of the Bundle: fullUrl → id
    index: int = 0  # of the element, when rows are elements


Path = Callable[[Nodes, Scope], Nodes]

# Elements of R4 with a choice of types: `value` is written `valueQuantity`, `valueString`…
CHOICES = frozenset({
    "abatement", "additive", "age", "allowed", "amount", "asNeeded", "born", "collected", "content", "deceased",
    "defaultValue", "detail", "diagnosis", "dose", "effective", "entity", "fastingStatus", "identified", "item",
    "medication", "minimumVolume", "multipleBirth", "occurrence", "onset", "performed", "procedure", "product",
    "rate", "reported", "scheduled", "serviced", "statusReason", "subject", "time", "timing", "used", "value",
})  # fmt: skip
_TYPES = (
    "Address|Age|Annotation|Attachment|Boolean|Code|CodeableConcept|Coding|Date|DateTime|Decimal|Duration|Instant|"
    "Integer|Period|Quantity|Range|Ratio|Reference|SampledData|String|Time|Timing|Uri"
)
_WRITTEN_CHOICE = re.compile(rf"({'|'.join(sorted(CHOICES))})({_TYPES})")
_TOKEN = re.compile(r"\s*('(?:[^'\\]|\\.)*'|[0-9]+(?:\.[0-9]+)?|[$%]?[A-Za-z_]\w*|!=|[.()\[\],=])")


def compile_path(text: str) -> Path:
    """Compile a path.

    Raises: ValueError: it says what is not understood, and what is.

    Example:
        >>> blood = {"code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}}
        >>> compile_path("code.coding.where(system='http://loinc.org').code")([blood], Scope(blood))
        ['718-7']
    """
    return _Parser(text).whole()


def text_of(node: Node) -> str:
    """A value as the text of a column. Decimals keep the digits that were written."""
    if isinstance(node, str):
        return node
    if isinstance(node, bool):
        return "true" if node else "false"
    return str(node)


# --- Steps: from some nodes to others ------------------------------------------------------------------------------


def _member(name: str) -> Path:
    def step(nodes: Nodes, _: Scope) -> Nodes:
        found: Nodes = []
        for node in nodes:
            value = node.get(name) if type(node) is dict else None
            if type(value) is list:
                found += value
            elif value is not None:
                found.append(value)
        return found

    return step


def _choice(name: str) -> Path:
    written = re.compile(rf"{name}(?:[A-Z]\w*)?")

    def step(nodes: Nodes, _: Scope) -> Nodes:
        found: Nodes = []
        for node in nodes:
            for key in node if type(node) is dict else ():
                if key.startswith(name) and written.fullmatch(key):
                    found += node[key] if type(node[key]) is list else [node[key]]
        return found

    return step


def _of_type(name: str) -> Path:
    return lambda nodes, _: [node for node in nodes if type(node) is dict and node.get("resourceType") == name]


def _index(position: int) -> Path:
    return lambda nodes, _: nodes[position : position + 1]


def _where(criterion: Path) -> Path:
    return lambda nodes, scope: [node for node in nodes if criterion([node], scope) == [True]]


def _extension(url: str) -> Path:
    extensions = _member("extension")
    return lambda nodes, scope: [e for e in extensions(nodes, scope) if type(e) is dict and e.get("url") == url]


def _join(separator: str) -> Path:
    return lambda nodes, _: [separator.join(map(text_of, nodes))] if nodes else []


def _starts_with(prefix: str) -> Path:
    return lambda nodes, _: [isinstance(node, str) and node.startswith(prefix) for node in nodes]


def _by_preference(nodes: Nodes, _: Scope) -> Nodes:
    """Codings in the order of the source, those that a user chose first (f2o-035); not in the standard."""
    return sorted(nodes, key=lambda node: not (type(node) is dict and node.get("userSelected") is True))


def _resource_key(nodes: Nodes, scope: Scope) -> Nodes:
    keys = []
    for node in nodes:
        own = node.get("id") if type(node) is dict else None
        if own is not None:
            keys.append(own if node is scope.resource else f"{scope.resource['id']}#{own}")
    return keys


def _reference_key(of_type: str | None) -> Path:
    def step(nodes: Nodes, scope: Scope) -> Nodes:
        found = (reference_key(node.get("reference"), scope, of_type) for node in nodes if type(node) is dict)
        return [key for key in found if key is not None]

    return step


def reference_key(reference: Node, scope: Scope, of_type: str | None = None) -> str | None:
    """The id of what a reference points to; None when it does not say (conditional, logical, of another type).

    Example:
        >>> scope = Scope({"id": "o1"})
        >>> [reference_key(r, scope) for r in ("Patient/7", "https://s/Patient/7/_history/2", "urn:uuid:7", "#c")]
        ['7', '7', '7', 'o1#c']
    """
    if not isinstance(reference, str) or "?" in reference:
        return None
    if reference.startswith("#"):
        return f"{scope.resource['id']}{reference}" if reference != "#" else scope.resource["id"]
    if (known := scope.keys.get(reference)) is not None:
        return known
    if reference.startswith("urn:"):
        return reference.rpartition(":")[2]
    kind, _, key = reference.partition("/_history/")[0].rpartition("/")
    if not kind or not key or (of_type is not None and kind.rpartition("/")[2] != of_type):
        return None
    return key


def _compared(left: Path, right: Path, wanted: bool) -> Path:
    def step(nodes: Nodes, scope: Scope) -> Nodes:
        a, b = left(nodes, scope), right(nodes, scope)
        return [([*map(text_of, a)] == [*map(text_of, b)]) is wanted] if a and b else []

    return step


def _joined(left: Path, right: Path, word: str) -> Path:
    if word == "and":
        return lambda nodes, scope: [left(nodes, scope) == [True] and right(nodes, scope) == [True]]
    return lambda nodes, scope: [left(nodes, scope) == [True] or right(nodes, scope) == [True]]


def _to_date(nodes: Nodes, _: Scope) -> Nodes:
    """The calendar day as it was written where it happened, not that of the instant in another zone."""
    return [node[:10] for node in nodes if isinstance(node, str)]


_PLAIN: dict[str, Path] = {
    "first": _index(0),
    "last": lambda nodes, _: nodes[-1:],
    "exists": lambda nodes, _: [bool(nodes)],
    "empty": lambda nodes, _: [not nodes],
    "not": lambda nodes, _: [nodes != [True]],
    "getResourceKey": _resource_key,
    "getReferenceKey": _reference_key(None),
    "byPreference": _by_preference,
    "join": _join(""),
    "toDate": _to_date,
}
_OF_TEXT: dict[str, Callable[[str], Path]] = {"extension": _extension, "join": _join, "startsWith": _starts_with}
_OF_CRITERION: dict[str, Callable[[Path], Path]] = {
    "where": _where,
    "exists": lambda criterion: lambda nodes, scope: [bool(_where(criterion)(nodes, scope))],
}
_OF_TYPE: dict[str, Callable[[str], Path]] = {"ofType": _of_type, "getReferenceKey": _reference_key}
FUNCTIONS = sorted({*_PLAIN, *_OF_TEXT, *_OF_CRITERION, *_OF_TYPE})
_ROOTS: dict[str, Path] = {
    "$this": lambda nodes, _: nodes,
    "%resource": lambda _, scope: [scope.resource],
    "%rowIndex": lambda _, scope: [scope.index],
}


# --- The parser ----------------------------------------------------------------------------------------------------


class _Parser:
    """Recursive descent over the tokens of one path."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens, self.at, end = text, [], 0, 0
        while match := _TOKEN.match(text, end):
            self.tokens.append(match[1])
            end = match.end()
        if text[end:].strip() or not self.tokens:
            raise self.error(f"{text[end:].strip()[:1] or 'nothing'!r} is not understood")

    def error(self, what: str) -> ValueError:
        return ValueError(f"the path `{self.text}`: {what}; known functions: {', '.join(FUNCTIONS)}")

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> str:
        token = self.peek()
        if not token or (wanted is not None and token != wanted):
            raise self.error(f"{wanted or 'more'} is expected after {' '.join(self.tokens[: self.at]) or 'nothing'}")
        self.at += 1
        return token

    def whole(self) -> Path:
        path = self.expression()
        if self.peek():
            raise self.error(f"`{self.peek()}` is not expected there")
        return path

    def expression(self, words: tuple[str, ...] = ("or", "and")) -> Path:
        inner = words[1:]
        path = self.expression(inner) if inner else self.comparison()
        while self.peek() == words[0]:
            word = self.take()
            path = _joined(path, self.expression(inner) if inner else self.comparison(), word)
        return path

    def comparison(self) -> Path:
        path = self.term()
        if self.peek() in ("=", "!="):
            equal = self.take() == "="
            path = _compared(path, self.term(), equal)
        return path

    def term(self) -> Path:
        token = self.peek()
        if token == "(":
            self.take()
            path = self.expression()
            self.take(")")
            return self.chain(path)
        if token[:1] == "'" or token[:1].isdigit() or token in ("true", "false"):
            value = _literal(self.take())
            return lambda _nodes, _scope: [value]
        if token[:1] in ("$", "%"):
            if token not in _ROOTS:
                raise self.error(f"`{token}` is not known, only {', '.join(_ROOTS)}")
            return self.chain(_ROOTS[self.take()])
        return self.chain(self.invocation())

    def chain(self, path: Path) -> Path:
        while self.peek() in (".", "["):
            if self.take() == ".":
                step = self.invocation()
            else:
                number = self.take()
                if not number.isdigit():
                    raise self.error(f"`[{number}]` is no index")
                step = _index(int(number))
                self.take("]")
            path = _then(path, step)
        return path

    def invocation(self) -> Path:
        name = self.take()
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise self.error(f"`{name}` is not expected there")
        if self.peek() == "(":
            return self.function(name)
        if name[0].isupper():
            raise self.error(f"leave out `{name}`: a path begins at the resource, or at the element of for_each")
        if match := _WRITTEN_CHOICE.fullmatch(name):
            raise self.error(f"write `{match[1]}.ofType({match[2]})` instead of `{name}`")
        if self.peek() == "." and self.peek(1) == "ofType" and name in CHOICES:
            self.at += 2
            self.take("(")
            kind = self.take()
            self.take(")")
            return _member(f"{name}{kind[0].upper()}{kind[1:]}")
        return _choice(name) if name in CHOICES else _member(name)

    def function(self, name: str) -> Path:
        self.take("(")
        if name not in FUNCTIONS:
            raise self.error(f"there is no function {name}()")
        if self.peek() == ")":
            self.take()
            if name not in _PLAIN:
                raise self.error(f"{name}() takes an argument")
            return _PLAIN[name]
        if name in _OF_CRITERION:
            path = _OF_CRITERION[name](self.expression())
        elif name in _OF_TYPE and self.peek()[:1].isalpha():
            path = _OF_TYPE[name](self.take())
        elif name in _OF_TEXT and self.peek()[:1] == "'":
            path = _OF_TEXT[name](str(_literal(self.take())))
        else:
            raise self.error(f"{name}() does not take `{self.peek()}`")
        self.take(")")
        return path


def _then(first: Path, second: Path) -> Path:
    return lambda nodes, scope: second(first(nodes, scope), scope)


def _literal(token: str) -> str | bool:
    if token[0] == "'":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return {"true": True, "false": False}.get(token, token)
