"""Message service of the Movella DOT: framing, and the commands that synchronise clocks by radio.

A message is MID, LEN, data, checksum; LEN counts the data, and all bytes add to 0 modulo 256.
Source: [S] XD0506P Rev F and Rev C, MID 02 (the StartRecording examples of both revisions break the
rule and are no vectors; every other printed message keeps it).
"""

from types import MappingProxyType

from imu.errors import InputError, PacketError
from imu.sensors.driver import Ack

RECORDING, SYNC, CONFIGURATION = 1, 2, 3

SYNC_SECONDS = 14.0
"""Wait at least this long, disconnected, between start of synchronisation and reading the result [S]."""

_RESULTS = MappingProxyType(
    {
        0x00: "clocks are synchronised",
        0x05: "too few samples; bring the sensors together and try again",
        0x07: "clock skew too large; try again",
        0x08: "start time missed; try again",
        0x09: "not started",
    }
)


def message(mid: int, data: bytes) -> bytes:
    """Return a framed message."""
    body = bytes((mid, len(data))) + data
    return body + bytes((-sum(body) & 0xFF,))


def parse(payload: bytes) -> tuple[int, bytes]:
    """Return MID and data of a message. Raises PacketError if length or checksum is wrong."""
    if len(payload) < 4 or len(payload) != payload[1] + 3:
        raise PacketError("a DOT message must be as long as its length byte says plus 3", payload)
    if sum(payload) & 0xFF:
        raise PacketError("the bytes of a DOT message must add to 0 modulo 256", payload)
    return payload[0], payload[2:-1]


def start_sync(root_address: str) -> bytes:
    """Return the message that starts synchronisation; write it to every sensor, the root included.

    Then disconnect all, wait `SYNC_SECONDS`, reconnect and read the acknowledgement.

    Raises
    ------
    InputError
        If the address is not six hexadecimal bytes.
    """
    try:
        root = bytes.fromhex(root_address.replace(":", ""))
    except ValueError:
        root = b""
    if len(root) != 6:
        raise InputError(
            f"a sensor address like D4:22:CD:00:00:01 was expected, got {root_address!r}; on macOS, where "
            f"addresses are hidden, DOT sensors cannot be synchronised by radio"
        )
    return message(SYNC, b"\x01" + root[::-1])


def stop_sync() -> bytes:
    """Return the message that ends synchronisation."""
    return message(SYNC, b"\x02")


def ask_sync_status() -> bytes:
    """Return the message that asks whether the sensor is synchronised."""
    return message(SYNC, b"\x08")


def parse_reply(payload: bytes) -> Ack:
    """Return an acknowledgement or status notification in words. Raises PacketError.

    Synchronisation replies are `03 result`, `51 04|09` (synchronised or not), `50 00` (stopped). Anything
    else is passed on by number.
    """
    mid, data = parse(payload)
    if mid == SYNC and len(data) == 2:
        kind, result = data
        if kind == 0x03:
            return Ack("sync", result == 0, _RESULTS.get(result, f"result {result:#04x}"))
        if kind == 0x51:
            return Ack(
                "sync-status", result == 0x04, "synchronised" if result == 0x04 else "not synchronised"
            )
        if kind == 0x50:
            return Ack("sync-stop", result == 0, "stopped" if result == 0 else f"result {result:#04x}")
    return Ack(f"message {mid}", True, data.hex(" "))
