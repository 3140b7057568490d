"""What may be made of a configuration: classes of the kind that is asked for, and their values."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any


def check(spec: dict[str, Any], maker: Any, duties: Sequence[str]) -> None:
    """Raise TypeError for what is no class of its kind, or is given a part of another package."""
    target = spec["_target_"]
    known = [vars(kind) for kind in maker.__mro__] if isinstance(maker, type) else []
    named = {*chain(*known), *chain(*(one.get("__annotations__", ()) for one in known))}
    if not known or (duties and named.isdisjoint(duties)):
        raise TypeError(f"_target_={target} is no class with {', '.join(duties)}")
    package = f"{str(target).partition('.')[0]}."
    for inner in _inner(spec):
        if not str(inner).startswith(package):
            raise TypeError(f"_target_={target}: what it is given, {inner}, is of another package")


def _inner(spec: Any) -> Iterator[Any]:
    """The targets within a spec, but for its own."""
    for value in spec.values() if isinstance(spec, dict) else spec:
        if isinstance(value, dict) and "_target_" in value:
            yield value["_target_"]
        if isinstance(value, dict | list):
            yield from _inner(value)


def check_types(maker: Any, args: dict[str, Any]) -> None:
    """Raise TypeError for an argument that is not of the simple type its maker asks for.

    Annotations are compared by name: nothing is evaluated for the sake of a file.
    """
    for name, parameter in inspect.signature(maker).parameters.items():
        annotation = parameter.annotation
        asked = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        kinds = asked.split(" | ")
        if name not in args or not all(kind in _SIMPLE for kind in kinds):
            continue
        given = type(args[name]).__name__.removesuffix("Type")
        if given not in kinds and (given, "float" in kinds) != ("int", True):
            words = " or ".join(_SIMPLE[kind] for kind in kinds)
            raise TypeError(f"{name} is {words}, not {args[name]!r}")


_SIMPLE = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a word",
    "None": "null",
}
