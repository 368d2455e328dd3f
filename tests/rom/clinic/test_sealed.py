"""Sealed things: only the passphrase opens them, no name is left in the open, a crash loses nothing."""

import hashlib
from pathlib import Path

import pytest
from pyrage import x25519  # pyright: ignore[reportAttributeAccessIssue] -- compiled, no types

from imu.errors import InputError
from rom.clinic import sealed
from rom.clinic.sealed import KeyFile, Keys, SealError, change_passphrase, load_keys, open_folder, seal_folder


@pytest.fixture(scope="module")
def practice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keys]:
    folder = tmp_path_factory.mktemp("practice")
    return folder, load_keys(folder, "correct horse")


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_names_are_found_again_and_nowhere_in_the_open(practice: tuple[Path, Keys]) -> None:
    folder, keys = practice
    names = KeyFile(folder, keys)
    names.put("P0042", "Zoë Example")
    names.put("P0007", "Max Muster")
    again = KeyFile(folder, load_keys(folder, "correct horse"))
    assert again.names() == {"P0042": "Zoë Example", "P0007": "Max Muster"}
    for path in folder.rglob("*"):
        assert b"Muster" not in path.read_bytes()
    assert again.forget("P0007")
    assert not again.forget("P0007")
    assert KeyFile(folder, keys).names() == {"P0042": "Zoë Example"}


def test_a_wrong_or_empty_passphrase_is_refused(practice: tuple[Path, Keys]) -> None:
    folder, _ = practice
    with pytest.raises(SealError, match="wrong passphrase"):
        load_keys(folder, "battery staple")
    with pytest.raises(InputError, match="ROM_PASSPHRASE"):
        load_keys(folder, "")


def test_a_new_passphrase_opens_what_the_old_one_sealed(tmp_path: Path) -> None:
    keys = load_keys(tmp_path, "old")
    KeyFile(tmp_path, keys).put("P1", "Ann")
    change_passphrase(tmp_path, "old", "new")
    assert KeyFile(tmp_path, load_keys(tmp_path, "new")).names() == {"P1": "Ann"}


def test_a_folder_is_sealed_and_opened_to_the_last_bit(tmp_path: Path, practice: tuple[Path, Keys]) -> None:
    _, keys = practice
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.mcap").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "clinic.sqlite").write_bytes(b"rows")
    (tmp_path / "identity.age").write_bytes(b"stays")
    (tmp_path / "sent.age").write_bytes(b"from a client")
    before = tree(tmp_path)
    assert seal_folder(tmp_path, keys) == 3
    assert sealed.is_sealed(tmp_path)
    assert set(tree(tmp_path)) == {
        "recordings/a.mcap.sealed",
        "clinic.sqlite.sealed",
        "identity.age",
        "sent.age.sealed",
    }
    assert seal_folder(tmp_path, keys) == 0
    assert open_folder(tmp_path, keys) == 3
    assert tree(tmp_path) == before
    assert not sealed.is_sealed(tmp_path)


def test_a_broken_off_sealing_is_finished_by_running_it_again(
    tmp_path: Path, practice: tuple[Path, Keys], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, keys = practice
    for n in range(4):
        (tmp_path / f"{n}.mcap").write_bytes(bytes([n]) * 1000)
    before = tree(tmp_path)
    take_place = Path.replace

    def crash(part: Path, target: Path) -> Path:
        if target.name == "2.mcap.sealed":
            raise KeyboardInterrupt
        return take_place(part, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        seal_folder(tmp_path, keys)
    monkeypatch.undo()
    assert seal_folder(tmp_path, keys) == 2
    open_folder(tmp_path, keys)
    assert {name: hashed for name, hashed in tree(tmp_path).items() if not name.endswith(".part")} == before


def test_what_another_practice_sealed_or_a_flipped_bit_is_refused(
    tmp_path: Path, practice: tuple[Path, Keys]
) -> None:
    _, keys = practice
    other = Keys(x25519.Identity.generate())
    (tmp_path / "a.mcap").write_bytes(b"content")
    seal_folder(tmp_path, other)
    with pytest.raises(SealError, match="another key or is damaged"):
        open_folder(tmp_path, keys)
    assert (tmp_path / "a.mcap.sealed").exists()
    blob = bytearray(sealed.seal_for(keys.recipient, b"two minutes"))
    assert keys.open(bytes(blob)) == b"two minutes"
    blob[-1] ^= 1
    with pytest.raises(SealError, match="damaged"):
        keys.open(bytes(blob))
    with pytest.raises(SealError, match="age1"):
        sealed.seal_for("somebody", b"x")
