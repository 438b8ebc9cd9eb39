"""What a pool and its processes tell each other: messages of msgpack behind their length.

Invariant: plain data only, decoded by the types that the function declares; nothing that is read
here can name code to be run but the order, which only the pool writes.
"""

import importlib
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct

LENGTH_BYTES: Final = 8
NOTHING: Final = msgspec.Raw(msgspec.msgpack.encode(None))


class ComputeOrder(Struct, array_like=True):
    """A function by its place, and what it is called with."""

    module: str
    name: str
    arguments: msgspec.Raw


class ComputedAnswer(Struct, array_like=True):
    """What came of it."""

    value: msgspec.Raw = NOTHING
    failed: str = ""
    """The kind of an exception; its words may be people's and are not told."""
    place: str = ""
    """Where it was raised: files and lines."""


class Signature(Struct):
    """The types of a function."""

    takes: Any
    gives: Any


@cache
def signature_of(work: Callable[..., Any]) -> Signature:
    """What a function takes, in order, and what it gives."""
    hints = typing.get_type_hints(work, include_extras=True)
    gives = hints.pop("return")
    return Signature(tuple[tuple(hints.values())], gives)  # type: ignore[misc]  # Made of values.


def found(order: ComputeOrder) -> Callable[..., Any]:
    """The function that an order names."""
    work: Callable[..., Any] = getattr(importlib.import_module(order.module), order.name)
    return work


def framed(message: Struct) -> bytes:
    """A message with its length in front."""
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body
