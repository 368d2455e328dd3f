"""The few bytes of Google's protobuf that an exported file for viewers needs, and their description.

Source: the encoding page of the protobuf documentation and `google/protobuf/descriptor.proto`, to which
tests hold it with the library itself. Written out here so that no protobuf library is needed.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

DOUBLE, INT64, INT32, FIXED32, STRING, MESSAGE, BYTES, ENUM = 1, 3, 5, 7, 9, 11, 12, 14
"""Types of fields."""

_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5


class Field(NamedTuple):
    """One field of a message: name, number, type, full name of a message's or enumeration's type."""

    name: str
    number: int
    kind: int
    type_name: str = ""
    repeated: bool = False


class File(NamedTuple):
    """One file of messages, by name; `enums` holds the values of enumerations inside a message."""

    name: str
    package: str
    imports: Sequence[str]
    messages: Mapping[str, Sequence[Field]]
    enums: Mapping[str, Mapping[str, Sequence[str]]] = {}


def integer(number: int, value: int) -> bytes:
    """Return a field of an integer that is not negative."""
    return _key(number, _VARINT) + _varint(value)


def sized(number: int, content: bytes) -> bytes:
    """Return a field of a text, bytes or a message."""
    return _key(number, _SIZED) + _varint(len(content)) + content


def fixed32(number: int, value: int) -> bytes:
    """Return a field of an unsigned integer of four bytes."""
    return _key(number, _FOUR_BYTES) + struct.pack("<I", value)


def doubles(*values: float) -> bytes:
    """Return fields 1, 2, ... of float64 numbers."""
    return b"".join(
        _key(at, _EIGHT_BYTES) + struct.pack("<d", value) for at, value in enumerate(values, start=1)
    )


def described(files: Sequence[File]) -> bytes:
    """Return the description of files, those imported first, as a `google.protobuf.FileDescriptorSet`."""
    return b"".join(sized(1, _file(file)) for file in files)


def _file(file: File) -> bytes:
    parts = [sized(1, file.name.encode()), sized(2, file.package.encode())]
    parts += [sized(3, each.encode()) for each in file.imports]
    for message, fields in file.messages.items():
        body = [sized(1, message.encode()), *(sized(2, _field(each)) for each in fields)]
        body += [sized(4, _enum(name, values)) for name, values in file.enums.get(message, {}).items()]
        parts.append(sized(4, b"".join(body)))
    return b"".join([*parts, sized(12, b"proto3")])


def _field(field: Field) -> bytes:
    label = 3 if field.repeated else 1
    body = sized(1, field.name.encode()) + integer(3, field.number) + integer(4, label)
    body += integer(5, field.kind)
    return body + (sized(6, field.type_name.encode()) if field.type_name else b"")


def _enum(name: str, values: Sequence[str]) -> bytes:
    numbered = [sized(1, value.encode()) + integer(2, at) for at, value in enumerate(values)]
    return sized(1, name.encode()) + b"".join(sized(2, value) for value in numbered)


def _key(number: int, wire: int) -> bytes:
    return _varint(number << 3 | wire)


def _varint(value: int) -> bytes:
    def groups(rest: int) -> Iterator[int]:
        while rest > 0x7F:
            yield (rest & 0x7F) | 0x80
            rest >>= 7
        yield rest

    return bytes(groups(value))
