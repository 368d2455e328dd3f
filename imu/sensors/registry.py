"""All sensor families, by name and by advertisement."""

from collections.abc import Mapping
from types import MappingProxyType

from imu.errors import InputError
from imu.sensors.capture2go import Capture2Go
from imu.sensors.driver import Advertisement, Driver
from imu.sensors.metamotion import MetaMotion
from imu.sensors.movella_dot import MovellaDot
from imu.sensors.movesense import Movesense
from imu.sensors.open_profile import OpenProfile
from imu.sensors.polar import H10, VERITY, Polar
from imu.sensors.witmotion import WitMotion

_ALL: tuple[Driver, ...] = (
    Capture2Go(),
    MovellaDot(),
    WitMotion(),
    Movesense(),
    Polar(VERITY, "Polar Sense", "Polar OH1"),
    Polar(H10, "Polar H10"),
    MetaMotion(),
    OpenProfile(),
)

DRIVERS: Mapping[str, Driver] = MappingProxyType({driver.capability.family: driver for driver in _ALL})


def driver_for(advertisement: Advertisement) -> Driver | None:
    """Return the family of an advertisement, or None if it is no sensor of ours."""
    return next((driver for driver in DRIVERS.values() if driver.recognises(advertisement)), None)


def driver_named(family: str) -> Driver:
    """Return a family by its id. Raises InputError, with the families there are, if it is unknown."""
    if family not in DRIVERS:
        raise InputError(f"no sensor family is called {family!r}; choose one of {', '.join(DRIVERS)}")
    return DRIVERS[family]
