"""A file is the old one or the new one."""

from pathlib import Path

import pytest

from imu.whole_file import replacing, write_whole


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "made" / "here.json"
    write_whole(target, b"old")

    def half() -> None:
        with replacing(target) as part:
            part.write_bytes(b"ne")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        half()
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_the_new_content_is_not_seen_before_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_whole(target, b"old")
    with replacing(target) as part:
        part.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert not part.exists()
