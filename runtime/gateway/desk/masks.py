"""Field masks: which fields of what is told a caller wants to have. No mask, or an empty one, is all of them."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from runtime.durations import shown
from runtime.errors import InvalidMessage

__all__ = ["check_mask", "masked"]

_M = TypeVar("_M", bound=Message)


def check_mask(mask: FieldMask, told: type[Message]) -> None:
    """Raises InvalidMessage for a field that `told` does not have, so that a typing error hides nothing."""
    descriptor: Any = told.DESCRIPTOR  # of two classes, of which the stubs know one
    for path in mask.paths:
        if not FieldMask(paths=[path]).IsValidForDescriptor(descriptor):
            names = ", ".join(field.name for field in descriptor.fields)
            raise InvalidMessage(f"read_mask names {shown(path)}; a {descriptor.name} has {names}")


def masked(told: _M, mask: FieldMask) -> _M:
    """As much of it as the mask names. A mask that was not checked may raise ValueError."""
    if not mask.paths:
        return told
    wanted = type(told)()
    mask.MergeMessage(told, wanted)
    return wanted
