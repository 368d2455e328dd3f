"""Where a practice keeps its data and who is working: the options that clinic commands share."""

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imu.errors import InputError

if TYPE_CHECKING:
    from rom.catalogue.loader import Catalogue
    from rom.clinic.desk import Desk
    from rom.clinic.sealed import Keys
    from rom.clinic.store import Store

FolderOption = Annotated[
    Path | None,
    typer.Option("--practice", envvar="ROM_PRACTICE", help="Folder of the practice: recordings and store."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="ROM_DATABASE",
        help="postgresql://user@host/name; without it SQLite in the folder.",
    ),
]
ClinicianOption = Annotated[
    str,
    typer.Option("--clinician", envvar="ROM_CLINICIAN", help="Your name: who answers for what is written."),
]
DespiteOption = Annotated[
    str, typer.Option("--despite", help="Why you go on although something is missing; it is written down.")
]
ClientArgument = Annotated[str, typer.Argument(help="Pseudonym, such as P0042.", metavar="CLIENT")]


@dataclass
class Practice:
    """What the commands of one call work on; the store is opened when it is first needed."""

    folder: Path | None
    database: str | None
    clinician: str

    @property
    def actor(self) -> str:
        """Who answers for what is written; raises if nobody said."""
        if not self.clinician.strip():
            raise InputError("say who you are: --clinician NAME, or set ROM_CLINICIAN")
        return self.clinician

    @property
    def root(self) -> Path:
        """The practice's folder."""
        if self.folder is not None:
            return self.folder
        import platformdirs

        return Path(platformdirs.user_data_dir("romcap")) / "practice"

    @cached_property
    def store(self) -> "Store":
        """The store, brought to today's schema."""
        from rom.clinic.sealed import is_sealed
        from rom.clinic.store import Store

        if self.root.exists() and is_sealed(self.root):
            raise InputError(f"{self.root} is sealed; open it with `rom unseal` first")
        store = Store(self.root, self.database)
        if store.backup:
            print(f"The store was upgraded; a copy of it as it was is {store.backup}.", file=sys.stderr)
        return store

    @cached_property
    def catalogue(self) -> "Catalogue":
        """The movements and structures."""
        from rom.catalogue.loader import load_catalogue

        return load_catalogue()

    @property
    def desk(self) -> "Desk":
        """Where visits are worked on."""
        from rom.clinic.desk import Desk

        return Desk(self.store, self.catalogue, self.actor)

    @cached_property
    def keys(self) -> "Keys":
        """The key pair of the practice, opened with the passphrase."""
        from rom.clinic.sealed import load_keys

        return load_keys(self.root, passphrase())

    def name_of(self, code: str) -> str:
        """Return the name behind a pseudonym, if a passphrase is set; else an empty text."""
        from rom.clinic.sealed import KEY_FILE, KeyFile

        if not os.environ.get("ROM_PASSPHRASE") or not (self.root / KEY_FILE).exists():
            return ""
        return KeyFile(self.root, self.keys).names().get(code, "")


def practice_of(context: typer.Context) -> Practice:
    """Return what the group of a command prepared."""
    found = context.find_object(Practice)
    if found is None:
        raise InputError("this command belongs to a group that names the practice")
    return found


def passphrase() -> str:
    """Return the passphrase from ROM_PASSPHRASE, or ask for it."""
    given = os.environ.get("ROM_PASSPHRASE", "")
    if given or not sys.stdin.isatty():
        return given
    return str(typer.prompt("Passphrase of the practice", hide_input=True))


def with_practice(
    context: typer.Context,
    practice: FolderOption = None,
    database: DatabaseOption = None,
    clinician: ClinicianOption = "",
) -> None:
    """Prepare what the commands of a group work on."""
    if context.obj is None:
        context.obj = Practice(practice, database, clinician)
