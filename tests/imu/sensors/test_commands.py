"""Start, stop and settings commands, typed again from the makers' documents."""

import math
import struct
from typing import Any

import pytest

from imu.errors import InputError, PacketError
from imu.sensors import dot_messages
from imu.sensors.dot_peripheral import DotPeripheral
from imu.sensors.driver import Ack, DeviceInfo, Reading
from imu.sensors.registry import DRIVERS


def written(family: str, step: str, **settings: Any) -> list[tuple[str, str]]:
    """Return the writes of one step: the characteristic's first group, and the bytes in hexadecimal."""
    driver = DRIVERS[family]
    writes = getattr(driver, step)(driver.settings(**settings))
    return [(write.characteristic.split("-")[0], write.payload.hex(" ")) for write in writes]


def test_dot() -> None:
    control = "10" + " 00" * 23 + " 3c 00" + " 00" * 6
    assert written("movella-dot", "configure") == [("15177001", "02 01 02 fb"), ("15171002", control)]
    assert written("movella-dot", "start") == [("15172001", "01 01 1a")]
    assert written("movella-dot", "stop") == [("15172001", "01 00 1a")]
    assert written("movella-dot", "start", mode="rate-mag") == [("15172001", "01 01 14")]
    assert written("movella-dot", "start", mode="rate") == [("15172001", "01 01 15")]
    modes = {"custom-5": "15172002", "rate": "15172003", "free-acceleration": "15172004"}
    for mode, characteristic in modes.items():
        driver = DRIVERS["movella-dot"]
        assert driver.notify(driver.settings(mode=mode))[-1].startswith(characteristic)


@pytest.mark.parametrize(
    ("mode", "number", "size"),
    [
        ("extended-quaternion", 2, 36),
        ("complete-quaternion", 3, 32),
        ("euler", 4, 16),
        ("quaternion", 5, 20),
        ("free-acceleration", 6, 16),
        ("extended-euler", 7, 32),
        ("complete-euler", 16, 28),
        ("delta-mag", 18, 38),
        ("delta", 19, 32),
        ("rate-mag", 20, 34),
        ("rate", 21, 28),
        ("custom-1", 22, 40),
        ("custom-2", 23, 34),
        ("custom-3", 24, 32),
        ("custom-5", 26, 44),
    ],
)
def test_every_dot_mode_has_its_printed_number_and_size(mode: str, number: int, size: int) -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings(mode=mode)
    assert driver.start(settings)[0].payload == bytes((1, 1, number))
    decoder, characteristic = driver.decoder(settings), driver.notify(settings)[-1]
    zeros = bytes(size)
    if mode in (
        "euler",
        "free-acceleration",
        "extended-euler",
        "complete-euler",
        "rate",
        "rate-mag",
        "custom-1",
        "custom-2",
    ):
        assert isinstance(decoder.feed(characteristic, zeros)[0], Reading)
    else:
        with pytest.raises(PacketError, match="quaternion of length 1"):
            decoder.feed(characteristic, zeros)
    with pytest.raises(PacketError, match=f"{size} to"):
        decoder.feed(characteristic, zeros[:-1])


def test_a_dot_custom_5_packet_typed_again() -> None:
    driver = DRIVERS["movella-dot"]
    settings = driver.settings()
    payload = struct.pack("<I10f", 4_294_967_290, 0.5, 0.5, -0.5, 0.5, 1.0, 2.0, 9.5, 180.0, -90.0, 2001.0)
    (got,) = driver.decoder(settings).feed(driver.notify(settings)[-1], payload.ljust(63, b"\0"))
    assert isinstance(got, Reading)
    assert got.ticks == 4_294_967_290
    assert got.quat == (0.5, 0.5, -0.5, 0.5)
    assert got.acc == (1.0, 2.0, 9.5)
    assert got.gyr[:2] == pytest.approx((3.14159265, -1.57079633))
    assert got.gyr[2] != got.gyr[2], "beyond 2000 deg/s a rate is not known"


def test_a_dot_that_measures_refuses_a_new_rate() -> None:
    driver = DRIVERS["movella-dot"]
    peripheral, settings = driver.peripheral(), driver.settings(rate_hz=30)
    for write in (*driver.configure(settings), *driver.start(settings)):
        peripheral.write(write.characteristic, write.payload)
    with pytest.raises(PacketError, match="measuring"):
        peripheral.write(*driver.configure(driver.settings(rate_hz=60))[1][:2])
    assert peripheral.rate_hz == 30.0


def test_an_emulated_dot_is_synchronised_and_says_so() -> None:
    driver = DRIVERS["movella-dot"]
    peripheral = DotPeripheral("Movella DOT", "D4:22:CD:AA:BB:CC")
    decoder = driver.decoder(driver.settings())
    control, ack, told = (f"1517700{i}-4947-11e9-8646-d663bd873d93" for i in (1, 2, 3))
    assert decoder.feed(ack, peripheral.read(ack)) == [Ack("sync", False, "not started")]
    peripheral.write(control, dot_messages.start_sync("D4:22:CD:AA:BB:CC"))
    assert decoder.feed(ack, peripheral.read(ack)) == [Ack("sync", False, "not started")], (
        "not while connected"
    )
    peripheral.disconnected()
    assert decoder.feed(ack, peripheral.read(ack)) == [Ack("sync", True, "clocks are synchronised")]
    (status,) = peripheral.write(control, dot_messages.ask_sync_status())
    assert status.characteristic == told
    assert decoder.feed(*status) == [Ack("sync-status", True, "synchronised")]
    (stopped,) = peripheral.write(control, dot_messages.stop_sync())
    assert decoder.feed(*stopped) == [Ack("sync-stop", True, "stopped")]


@pytest.mark.parametrize(
    "address", ["", "D4:22:CD", "12345678-1234-1234-1234-123456789abc", "XX:22:CD:AA:BB:CC"]
)
def test_a_root_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="sensor address like"):
        dot_messages.start_sync(address)


def test_witmotion() -> None:
    assert written("witmotion", "configure", rate_hz=50) == [
        ("0000ffe9", "ff aa 69 88 b5"),
        ("0000ffe9", "ff aa 03 08 00"),
    ]
    rates = {10: "06", 20: "07", 100: "09", 200: "0b"}
    for rate, code in rates.items():
        assert written("witmotion", "configure", rate_hz=rate)[1][1] == f"ff aa 03 {code} 00"
    assert written("witmotion", "start") == [("0000ffe9", "ff aa 27 64 00")]
    assert DRIVERS["witmotion"].notify(DRIVERS["witmotion"].settings()) == (
        "0000ffe4-0000-1000-8000-00805f9a34fb",
    )


def test_movesense() -> None:
    path = b"/Meas/IMU9/52".hex(" ")
    assert written("movesense", "start", mode="IMU9", rate_hz=52) == [("34800001", f"01 63 {path}")]
    assert written("movesense", "stop") == [("34800001", "02 63")]


def test_movesense_refuses_what_does_not_fit_two_parts() -> None:
    with pytest.raises(InputError, match="two parts a packet, too little for IMU9 at 208 Hz"):
        DRIVERS["movesense"].settings(mode="IMU9", rate_hz=208)


def test_polar() -> None:
    assert written("polar-h10", "start", rate_hz=200, acc_range_g=2) == [
        ("fb005c81", "02 02 00 01 c8 00 01 01 10 00 02 01 02 00")
    ]
    assert written("polar-h10", "stop") == [("fb005c81", "03 02")]
    assert written("polar-verity", "start") == [
        ("fb005c81", "02 05 00 01 34 00 01 01 10 00 02 01 d0 07 04 01 03"),
        ("fb005c81", "02 02 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03"),
    ]
    assert written("polar-verity", "start", rate_hz=208)[0] == ("fb005c81", "02 09")
    assert written("polar-verity", "stop", mode="sdk")[-1] == ("fb005c81", "03 09")


def test_polar_says_why_a_stream_did_not_start() -> None:
    driver = DRIVERS["polar-verity"]
    decoder = driver.decoder(driver.settings())
    control = driver.notify(driver.settings())[1]
    assert decoder.feed(control, bytes.fromhex("f002020d00")) == [
        Ack("start acc", False, "refused while in the charger")
    ]


@pytest.mark.parametrize(
    ("reply", "dps"),
    [
        ("f002050000", (1.0, 2.0, 3.0)),
        ("f0020500000501 0000003e", (0.125, 0.25, 0.375)),
        ("", (math.nan,) * 3),
    ],
    ids=["without a factor: one", "factor 1/8", "missed: not known"],
)
def test_polar_counts_are_worth_what_the_start_reply_says(reply: str, dps: tuple[float, ...]) -> None:
    """One angular rate frame of counts 1, 2, 3 and one acceleration frame, which needs no factor."""
    driver = DRIVERS["polar-verity"]
    decoder = driver.decoder(driver.settings(mode="acc+gyr"))
    data, control = "fb005c82-02e7-f387-1cad-8acd2d8df0c8", "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
    if reply:
        decoder.feed(control, bytes.fromhex(reply))
    last = "00ca9a3b00000000"
    items = decoder.feed(data, bytes.fromhex(f"02 {last} 81 e803 0000 18fc"))
    items += decoder.feed(data, bytes.fromhex(f"05 {last} 80 0100 0200 0300"))
    (reading,) = [item for item in items if isinstance(item, Reading)]
    assert [math.degrees(rate) for rate in reading.gyr] == pytest.approx(dps, nan_ok=True)
    assert reading.acc == pytest.approx((9.80665, 0.0, -9.80665))


def test_polar_without_a_rate_of_its_own_asks_for_sdk_mode() -> None:
    with pytest.raises(InputError, match="only in mode sdk"):
        DRIVERS["polar-verity"].settings(rate_hz=104, mode="acc+gyr")
    assert DRIVERS["polar-verity"].settings(rate_hz=104).mode == "sdk"


def test_metamotion() -> None:
    assert written(
        "metamotion", "configure", mode="bmi160", rate_hz=100, acc_range_g=4, gyr_range_dps=500
    ) == [
        ("326a9001", "03 03 28 05"),
        ("326a9001", "13 03 28 02"),
    ]
    assert written("metamotion", "configure", rate_hz=50, acc_range_g=8) == [
        ("326a9001", "03 03 a7 02"),
        ("326a9001", "13 03 27 00"),
    ]
    assert [payload for _, payload in written("metamotion", "start", mode="bmi160")] == [
        "03 80",
        "03 1c 01",
        "13 07 01",
        "03 02 01 00",
        "13 02 01 00",
        "03 01 01",
        "13 01 01",
    ]
    assert [payload for _, payload in written("metamotion", "stop")][:3] == [
        "03 01 00",
        "13 01 00",
        "03 02 00 01",
    ]


def test_metamotion_says_which_chip_it_has() -> None:
    driver = DRIVERS["metamotion"]
    settings = driver.settings(mode="bmi160")
    (ack,) = driver.decoder(settings).feed(driver.notify(settings)[0], bytes.fromhex("03800401"))
    assert ack == Ack("chip", False, "this sensor has a bmi270; choose mode bmi270")


def test_open_profile_typed_again() -> None:
    driver = DRIVERS["open"]
    settings = driver.settings(rate_hz=100, gyr_range_dps=500, acc_range_g=4)
    wish = driver.start(settings)[0].payload
    assert wish[:10].hex(" ") == "01 06 01 00 e8 03 f4 01 04 00"
    assert struct.unpack("<3f", wish[10:]) == pytest.approx((2.663161e-4, 1.197101e-3, 0.1525879), rel=1e-6)
    data = struct.pack("<BBHII12h", 0x16, 2, 65535, 2**32 - 5, 9995, *range(1, 7), *range(-6, 0))
    first, second = driver.decoder(settings).feed(driver.notify(settings)[2], data)
    assert isinstance(first, Reading)
    assert isinstance(second, Reading)
    assert (first.ticks, first.counter) == (2**32 - 5, 65535)
    assert (second.ticks, second.counter) == (9995, 0)
    assert first.gyr == pytest.approx([2.663161e-4 * n for n in (1, 2, 3)], rel=1e-6)
    assert second.acc == pytest.approx([1.197101e-3 * n for n in (-3, -2, -1)], rel=1e-6)


def test_an_open_sensor_that_cannot_do_the_wish_says_what_it_took() -> None:
    driver = DRIVERS["open"]
    settings = driver.settings(rate_hz=100)
    taken = driver.start(driver.settings(rate_hz=104))[0].payload
    (ack,) = driver.decoder(settings).feed(driver.notify(settings)[0], taken)
    assert isinstance(ack, Ack)
    assert not ack.ok
    assert "took 104 Hz" in ack.words


@pytest.mark.parametrize("gyr_scale", [0.0, -1e-3, math.nan, math.inf, 2.663161e-4 * 1.01])
def test_an_open_sensor_with_a_scale_that_cannot_be_is_refused(gyr_scale: float) -> None:
    driver = DRIVERS["open"]
    settings = driver.settings(rate_hz=100, gyr_range_dps=500, acc_range_g=4)
    told = bytearray(driver.start(settings)[0].payload)
    told[10:14] = struct.pack("<f", gyr_scale)
    with pytest.raises(PacketError, match="scales above 0"):
        driver.decoder(settings).feed(driver.notify(settings)[0], bytes(told))


def test_an_open_sensor_uses_the_scale_it_told() -> None:
    driver = DRIVERS["open"]
    settings = driver.settings(rate_hz=100, gyr_range_dps=500, acc_range_g=4)
    configuration, _, data = driver.notify(settings)
    told = bytearray(driver.start(settings)[0].payload)
    told[10:18] = struct.pack("<2f", 1e-4, 2e-4)
    decoder = driver.decoder(settings)
    assert decoder.feed(configuration, bytes(told)) == [Ack("configuration", True, "as wished")]
    (got,) = decoder.feed(data, struct.pack("<BBHII6h", 0x16, 1, 0, 7, 7, *range(1, 7)))
    assert isinstance(got, Reading)
    assert got.gyr == pytest.approx((1e-4, 2e-4, 3e-4))
    assert got.acc == pytest.approx((8e-4, 1e-3, 1.2e-3))


def test_identity_is_told() -> None:
    driver = DRIVERS["movella-dot"]
    made = struct.pack("<6B3BH5BIQ", *range(6), 2, 4, 1, 2023, 7, 1, 0, 0, 0, 9, 0xD422CD0012AB) + b"XS-T02"
    assert driver.decoder(driver.settings()).feed(driver.reads[0], made) == [
        DeviceInfo("D422CD0012AB", "2.4.1")
    ]
