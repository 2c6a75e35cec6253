"""Which changes of a schema would break what is stored, or a node of the last release, and a snapshot to compare with.

    python -m tests.tidy.schemas      keeps the schemas as they are now as those of a release

What lies in a store was written under an older schema and is read under a newer one, and nodes of two releases talk
during an upgrade. So whatever was once released stays: names, numbers, types, and where a message is routed. Names
matter as well as numbers: subscriptions in the store name fields, states are shown by their names.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

from tests.tidy.source import ROOT, name

__all__ = ["RELEASED", "breaking_changes", "schemas_now"]

RELEASED = ROOT / "protos" / "released" / "schemas.binpb"
_HOMES = ("runtime/protos", "protos", "tests/proof/programs")
_GENERATED = [
    ".".join(file.relative_to(ROOT).with_suffix("").parts)
    for home in _HOMES
    for file in sorted((ROOT / home).glob("*_pb2.py"))
]


def schemas_now() -> FileDescriptorSet:
    """The project's own schemas, from the generated code, by file name."""
    found = FileDescriptorSet()
    for module in _GENERATED:
        descriptor = importlib.import_module(module).DESCRIPTOR
        found.file.append(FileDescriptorProto.FromString(descriptor.serialized_pb))
    return found


def breaking_changes(released: FileDescriptorSet, now: FileDescriptorSet) -> list[str]:
    """What the new schemas took away or changed, one line each; adding is free."""
    found: list[str] = []
    messages, enums, services = _index(now)
    old_messages, old_enums, old_services = _index(released)
    for full_name, message in old_messages.items():
        found += _message_changes(full_name, message, messages.get(full_name))
    for full_name, enum in old_enums.items():
        found += _enum_changes(full_name, enum, enums.get(full_name))
    for full_name, service in old_services.items():
        found += _service_changes(full_name, service, services.get(full_name))
    return found


_Index = tuple[dict[str, DescriptorProto], dict[str, EnumDescriptorProto], dict[str, ServiceDescriptorProto]]


def _index(files: FileDescriptorSet) -> _Index:
    """Messages, enums and services by full name, nested ones too."""
    index: _Index = ({}, {}, {})
    for file in files.file:
        _add_types(index, file.package, file.message_type, file.enum_type)
        index[2].update((f"{file.package}.{one.name}", one) for one in file.service)
    return index


def _add_types(
    index: _Index, scope: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]
) -> None:
    index[1].update((f"{scope}.{enum.name}", enum) for enum in enums)
    for message in messages:
        full_name = f"{scope}.{message.name}"
        index[0][full_name] = message
        _add_types(index, full_name, message.nested_type, message.enum_type)


def _message_changes(full_name: str, old: DescriptorProto, new: DescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"message {full_name} is gone"
        return
    if old.options.SerializeToString(deterministic=True) != new.options.SerializeToString(deterministic=True):
        yield f"message {full_name} is routed differently: its options changed"
    fields = {field.number: field for field in new.field}
    for field in old.field:
        yield from _field_changes(f"{full_name}.{field.name}", field, fields.get(field.number))


def _field_changes(where: str, old: FieldDescriptorProto, new: FieldDescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"field {where} = {old.number} is gone"
        return
    if new.name != old.name:
        yield f"field {where} = {old.number} is now called {new.name}"
    if (new.type, new.type_name) != (old.type, old.type_name):
        yield f"field {where} = {old.number} has another type"
    if new.label != old.label:
        yield f"field {where} = {old.number} is {'now' if new.label == new.LABEL_REPEATED else 'no longer'} repeated"
    if new.HasField("oneof_index") != old.HasField("oneof_index"):
        yield f"field {where} = {old.number} was moved into or out of a oneof"


def _enum_changes(full_name: str, old: EnumDescriptorProto, new: EnumDescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"enum {full_name} is gone"
        return
    numbers = {value.name: value.number for value in new.value}
    for value in old.value:
        if numbers.get(value.name) != value.number:
            yield f"value {full_name}.{value.name} = {value.number} is gone or has another number"


def _service_changes(full_name: str, old: ServiceDescriptorProto, new: ServiceDescriptorProto | None) -> Iterator[str]:
    if new is None:
        yield f"service {full_name} is gone"
        return
    methods = {method.name: method for method in new.method}
    for method in old.method:
        if methods.get(method.name) != method:
            yield f"method {full_name}.{method.name} is gone or changed"


def _keep() -> None:
    RELEASED.parent.mkdir(exist_ok=True)
    RELEASED.write_bytes(schemas_now().SerializeToString(deterministic=True))
    print(f"kept {len(schemas_now().file)} schemas in {name(RELEASED)}")  # noqa: T201 # a command of its own


if __name__ == "__main__":
    _keep()
