"""Which alerts of a capture are on the screen: warnings until cured or read, notes for a while. No Qt."""

from collections.abc import Sequence

from rom.alert import CURED, Alert

NOTE_SECONDS = 10.0
"""How long a note stays, s."""


class AlertBoard:
    """The alerts that were told; the newest warning stands first and is never pushed out by a note."""

    def __init__(self) -> None:
        self._told: list[tuple[Alert, float]] = []

    def take(self, alerts: Sequence[Alert], now: float) -> None:
        """Take new alerts; a newer one of the same kind and sensor replaces the older."""
        for alert in alerts:
            same = (alert.kind, alert.sensor)
            self._told = [one for one in self._told if (one[0].kind, one[0].sensor) != same]
            self._told.append((alert, now))

    def shown(self, now: float) -> list[Alert]:
        """Return the newest warning, else the notes of the last seconds."""
        warnings = [alert for alert, _ in self._told if alert.severity == "warning"]
        if warnings:
            return warnings[-1:]
        return [alert for alert, since in self._told if now - since < NOTE_SECONDS]

    def calibrating(self) -> None:
        """Take away what the calibration that begins now puts right."""
        self._told = [one for one in self._told if one[0].kind not in CURED]

    def clear(self) -> None:
        """Take away all: they were read."""
        self._told = []
