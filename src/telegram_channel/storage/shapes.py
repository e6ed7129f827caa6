"""Frozen dataclasses become plain JSON values and back, strictly: what does not fit exactly is an error.

The shape of a value is read once from its type hints, so nothing can be written that could not be read
again. An error names the field and what was expected there, never the value: it may be somebody's words.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class CodecError(ValueError):
    """A stored value does not have the shape it must have; `where` leads to the field."""

    def __init__(self, expected: str, where: tuple[str, ...] = ()) -> None:
        super().__init__(f"{'.'.join(where) or 'the value'}: {expected}")
        self.expected = expected
        self.where = where

    def inside(self, field: str) -> "CodecError":
        """The same error as seen from the value that holds `field`."""
        return CodecError(self.expected, (field, *self.where))


@dataclass(frozen=True, slots=True)
class Shape:
    """How one type is written as JSON values, and read from them. Both raise `CodecError`."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


Tags = Mapping[str, type]
"""The stored names of the members of a union. They are on disk: never rename one."""

_NO_TAGS: Tags = MappingProxyType({})


def shape_of(hint: Any, tags: Tags = _NO_TAGS) -> Shape:
    """The shape of a type hint; `tags` names the members of every union of dataclasses in it.

    Raises:
        TypeError: the hint has no strict JSON form.
    """
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    if isinstance(hint, type):
        if issubclass(hint, StrEnum):
            return _enum(hint)
        if dataclasses.is_dataclass(hint):
            return _record(hint, tags)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _union(arguments, tags)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence(shape_of(arguments[0], tags), tuple, list)
    if origin is frozenset:
        return _sequence(shape_of(arguments[0], tags), frozenset, sorted)
    if origin is Mapping:
        return _mapping(shape_of(arguments[0], tags), shape_of(arguments[1], tags))
    raise TypeError(f"{hint!r} has no strict JSON form")


def _exactly(kind: type) -> Shape:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise CodecError(f"must be {kind.__name__}")
        return value

    return Shape(check, check)


def _encode_time(value: Any) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise CodecError("must be an aware datetime")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def _decode_time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise CodecError("must be a time in ISO 8601") from None
    if time.tzinfo is None:
        raise CodecError("must be a time with its offset")
    return time.astimezone(UTC)


TIME = Shape(_encode_time, _decode_time)
"""Always UTC with microseconds, so that the texts sort as the times do."""

_PRIMITIVES: Mapping[Any, Shape] = {str: _exactly(str), int: _exactly(int), bool: _exactly(bool), datetime: TIME}


def _enum(kind: type[StrEnum]) -> Shape:
    members: Mapping[Any, StrEnum] = {member.value: member for member in kind}

    def encode(value: Any) -> str:
        if not isinstance(value, kind):
            raise CodecError(f"must be {kind.__name__}")
        return value.value

    def decode(value: Any) -> StrEnum:
        if type(value) is not str or value not in members:
            raise CodecError(f"must be a known {kind.__name__}")
        return members[value]

    return Shape(encode, decode)


def _sequence(item: Shape, made: Callable[[Any], Any], listed: Callable[[Any], list[Any]]) -> Shape:
    def encode(value: Any) -> list[Any]:
        if type(value) is not made:
            raise CodecError(f"must be a {made.__name__}")
        return listed(item.encode(one) for one in value)

    def decode(value: Any) -> Any:
        if type(value) is not list:
            raise CodecError("must be a list")
        return made(item.decode(one) for one in value)

    return Shape(encode, decode)


def _mapping(key: Shape, item: Shape) -> Shape:
    def encode(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise CodecError("must be a mapping")
        return {key.encode(name): _at(str(name), item.encode, one) for name, one in value.items()}

    def decode(value: Any) -> Mapping[Any, Any]:
        if type(value) is not dict:
            raise CodecError("must be an object")
        return MappingProxyType({key.decode(name): _at(name, item.decode, one) for name, one in value.items()})

    return Shape(encode, decode)


def _at(where: str, step: Callable[[Any], Any], value: Any) -> Any:
    try:
        return step(value)
    except CodecError as error:
        raise error.inside(where) from None


def _record(kind: type, tags: Tags) -> Shape:
    hints = typing.get_type_hints(kind)
    shapes = {field.name: shape_of(hints[field.name], tags) for field in dataclasses.fields(kind)}
    names = shapes.keys()
    encoders = [(name, shape.encode) for name, shape in shapes.items()]
    decoders = [(name, shape.decode) for name, shape in shapes.items()]

    def encode(value: Any) -> dict[str, Any]:
        if type(value) is not kind:
            raise CodecError(f"must be {kind.__name__}")
        fields, name = {}, ""
        try:
            for name, step in encoders:
                fields[name] = step(getattr(value, name))
        except CodecError as error:
            raise error.inside(name) from None
        return fields

    def decode(value: Any) -> Any:
        if type(value) is not dict:
            raise CodecError("must be an object")
        if value.keys() != names:
            missing, extra = sorted(names - value.keys()), len(value.keys() - names)
            raise CodecError(f"lacks {', '.join(missing)}" if missing else f"has {extra} unknown fields")
        fields, name = {}, ""
        try:
            for name, step in decoders:
                fields[name] = step(value[name])
        except CodecError as error:
            raise error.inside(name) from None
        try:
            return kind(**fields)
        except ValueError:
            raise CodecError(f"is no valid {kind.__name__}") from None

    return Shape(encode, decode)


def _union(members: tuple[Any, ...], tags: Tags) -> Shape:
    present = tuple(member for member in members if member is not types.NoneType)
    inner = shape_of(present[0], tags) if len(present) == 1 else _tagged(present, tags)
    if len(present) == len(members):
        return inner
    return Shape(
        lambda value: None if value is None else inner.encode(value),
        lambda value: None if value is None else inner.decode(value),
    )


def _tagged(members: tuple[Any, ...], tags: Tags) -> Shape:
    names = {kind: tag for tag, kind in tags.items()}
    if unnamed := [member for member in members if member not in names]:
        raise TypeError(f"{unnamed!r} have no stored name")
    shapes = {names[member]: shape_of(member, tags) for member in members}

    def encode(value: Any) -> dict[str, Any]:
        tag = names.get(type(value))
        if tag not in shapes:
            raise CodecError(f"must be one of {', '.join(shapes)}")
        return {tag: _at(tag, shapes[tag].encode, value)}

    def decode(value: Any) -> Any:
        if type(value) is not dict or len(value) != 1:
            raise CodecError("must be an object with one member")
        [(tag, inner)] = value.items()
        if tag not in shapes:
            raise CodecError(f"must be one of {', '.join(shapes)}")
        return _at(tag, shapes[tag].decode, inner)

    return Shape(encode, decode)
