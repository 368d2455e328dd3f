"""Names and folders under a passphrase: the only door to age encryption (pyrage).

A passphrase opens an age identity; files are sealed to its public half, the recipient, so that they can be
sealed without the passphrase: home results come in that way. There is no second way in: without the
passphrase the content is gone.
"""

# pyright: reportAttributeAccessIssue=false
# (pyrage is a compiled module and brings no types)

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
from pyrage import x25519

from imu.errors import InputError, RomcapError
from imu.whole_file import replacing, write_whole

KEY_FILE = "names.age"
IDENTITY_FILE = "identity.age"
SEALED = ".sealed"
"""Ending of the files of a sealed folder; a file somebody sent as .age is sealed like any other."""


class SealError(RomcapError):
    """Something sealed cannot be opened, or cannot be sealed."""


@dataclass(frozen=True)
class Keys:
    """The key pair of a practice: whoever has the recipient can seal, only the identity opens."""

    identity: Any

    @property
    def recipient(self) -> str:
        """The public half, as text that begins with ``age1``."""
        return str(self.identity.to_public())

    def seal(self, content: bytes) -> bytes:
        """Return content sealed to this practice."""
        return pyrage.encrypt(content, [self.identity.to_public()])

    def open(self, content: bytes, what: str = "the file") -> bytes:
        """Return what was sealed to this practice.

        Raises
        ------
        SealError
            If it was sealed to another one, or is damaged.
        """
        try:
            return pyrage.decrypt(content, [self.identity])
        except pyrage.DecryptError:
            raise SealError(
                f"{what} was sealed for another practice or is damaged; ask for it again"
            ) from None


def seal_for(recipient: str, content: bytes) -> bytes:
    """Return content sealed to a practice of which only the recipient is known."""
    try:
        return pyrage.encrypt(content, [x25519.Recipient.from_str(recipient)])
    except pyrage.RecipientError:
        raise SealError(f"the clinic's address must begin with age1, got {recipient[:12]!r}") from None


def load_keys(folder: Path, passphrase: str) -> Keys:
    """Return the key pair of a practice; made and sealed under the passphrase if there is none.

    Raises
    ------
    SealError
        If the passphrase is wrong, empty, or the file is damaged.
    """
    path = folder / IDENTITY_FILE
    _check(passphrase)
    if not path.exists():
        identity = x25519.Identity.generate()
        write_whole(path, pyrage.passphrase.encrypt(str(identity).encode(), passphrase))
        return Keys(identity)
    return Keys(x25519.Identity.from_str(_opened(path, passphrase).decode()))


def change_passphrase(folder: Path, old: str, new: str) -> None:
    """Seal the key pair under another passphrase; nothing else needs to be sealed again."""
    _check(new)
    keys = load_keys(folder, old)
    write_whole(folder / IDENTITY_FILE, pyrage.passphrase.encrypt(str(keys.identity).encode(), new))


class KeyFile:
    """Who is behind each pseudonym: one sealed file, nowhere else.

    Parameters
    ----------
    folder
        The practice's folder.
    keys
        Its key pair.
    """

    def __init__(self, folder: Path, keys: Keys) -> None:
        self._path, self._keys = folder / KEY_FILE, keys

    def names(self) -> dict[str, str]:
        """Return names by pseudonym."""
        if not self._path.exists():
            return {}
        return json.loads(self._keys.open(self._path.read_bytes(), str(self._path)))

    def put(self, code: str, name: str) -> None:
        """Write a name down."""
        self._write({**self.names(), code: name})

    def forget(self, code: str) -> bool:
        """Erase a name; return whether there was one."""
        names = self.names()
        if names.pop(code, None) is None:
            return False
        self._write(names)
        return True

    def _write(self, names: dict[str, str]) -> None:
        write_whole(self._path, self._keys.seal(json.dumps(names, ensure_ascii=False).encode()))


def seal_folder(folder: Path, keys: Keys) -> int:
    """Seal every file of a folder as itself with ``.sealed``, and remove the open one; return how many.

    Broken off, it can be run again: a file is open until its sealed form is complete on disk.
    """
    done = 0
    for path in _files(folder):
        if path.suffix == SEALED:
            continue
        with replacing(path.with_name(path.name + SEALED)) as part:
            pyrage.encrypt_file(str(path), str(part), [keys.identity.to_public()])
        path.unlink()
        done += 1
    return done


def open_folder(folder: Path, keys: Keys) -> int:
    """Open every file that `seal_folder` sealed; return how many."""
    done = 0
    for path in _files(folder):
        target = path.with_suffix("")
        if path.suffix != SEALED:
            continue
        try:
            with replacing(target) as part:
                pyrage.decrypt_file(str(path), str(part), [keys.identity])
        except pyrage.DecryptError:
            raise SealError(
                f"{path} was sealed by another key or is damaged; restore it from a backup"
            ) from None
        path.unlink()
        done += 1
    return done


def is_sealed(folder: Path) -> bool:
    """Return whether a folder's files are sealed."""
    return any(path.suffix == SEALED for path in _files(folder))


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".part" and path.name not in (KEY_FILE, IDENTITY_FILE):
            yield path


def _opened(path: Path, passphrase: str) -> bytes:
    try:
        return pyrage.passphrase.decrypt(path.read_bytes(), passphrase)
    except pyrage.DecryptError as error:
        if "xcessive" in str(error):
            raise SealError(
                f"{path.name} was sealed on a faster computer than this one is now; close other programs and "
                "try again, or open it there"
            ) from None
        raise SealError(f"{path.name}: wrong passphrase, or the file is damaged") from None


def _check(passphrase: str) -> None:
    if not passphrase:
        raise InputError("a passphrase is needed: set ROM_PASSPHRASE or type one")
