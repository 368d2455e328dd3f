"""What an application run works with: theme, folders, where samples come from, the practice. No Qt."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from rom.catalogue.loader import Catalogue
from rom.catalogue.movement import Movement, Side
from tools.app.bindings import Bindings, load_bindings
from tools.sources import Source, virtual_sensors, worn_sensors

if TYPE_CHECKING:
    from rom.clinic.desk import Desk
    from tools.app.jobs import Job

SourceOf = Callable[[Movement, Side], Source]


@dataclass
class Setting:
    """One run of the application.

    Parameters
    ----------
    catalogue
        Movements and structures.
    theme
        Name of the palette.
    recordings
        Folder for new recordings.
    source_of
        Where the samples of a movement come from.
    virtual
        Whether the sensors are emulated; every screen then says so.
    desk
        The practice's visits; None without one, or while it is being prepared.
    preparing
        The work that makes the desk; its pages wait for it.
    bindings, keys_file
        Keys and pedals, and where learnt ones are kept.
    shown
        Set once the window stands: heavy work waits for it.
    """

    catalogue: Catalogue
    theme: str
    recordings: Path
    source_of: SourceOf
    virtual: bool = False
    desk: "Desk | None" = None
    bindings: Bindings = field(default_factory=Bindings)
    keys_file: Path | None = None
    preparing: "Job[Desk] | None" = None
    shown: Event = field(default_factory=Event)

    @property
    def has_practice(self) -> bool:
        """Whether there is a practice, or will be."""
        return self.desk is not None or self.preparing is not None

    def clients(self) -> list[str]:
        """Return the pseudonyms of the practice; none without one."""
        if self.desk is None:
            return []
        from rom.clinic.store_people import Client

        with self.desk.store.reading() as ledger:
            return sorted(client.code for client in ledger.find(Client))

    def new_file(self, name: str) -> Path:
        """Return a file for a new recording; the time in its name keeps it apart from any other."""
        return self.recordings / f"{name}_{datetime.now().astimezone():%Y%m%d-%H%M%S}.mcap"


def usual_setting(catalogue: Catalogue, theme: str, desk: "Desk | None", *, virtual: bool) -> Setting:
    """Return the setting of a person's own computer: paired sensors, or emulated ones for a try."""
    from platformdirs import user_config_path, user_documents_path

    keys_file = user_config_path("romcap") / "keys.json"
    return Setting(
        catalogue=catalogue,
        theme=theme,
        recordings=user_documents_path() / "romcap",
        source_of=virtual_sensors if virtual else worn_sensors,
        virtual=virtual,
        desk=desk,
        bindings=load_bindings(keys_file),
        keys_file=keys_file,
    )
