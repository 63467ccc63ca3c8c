import pickle
from pathlib import Path

import pytest

from pictures import save_pairs, save_splits
from segnext.data.formats.format import Format
from segnext.data.formats.registry import FORMATS


def test_formats_have_the_names_they_are_listed_by() -> None:
    assert all(name == entry.name and name.islower() for name, entry in FORMATS.items())
    assert len({entry.title for entry in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("entry", FORMATS.values(), ids=lambda entry: entry.name)
def test_plain_folders_belong_to_no_format(entry: Format, tmp_path: Path) -> None:
    save_splits(tmp_path / "splits", train=2, val=1)
    save_pairs(tmp_path / "pool", {"images/a.jpg": "masks/a.png"})
    (tmp_path / "pool/notes.json").write_text('{"images": 1}')
    (tmp_path / "pool/classes.txt").write_text("road\nsky\n")
    (tmp_path / "empty").mkdir()
    for name in ("splits", "pool", "empty"):
        assert not entry.detect(tmp_path / name)


@pytest.mark.parametrize("entry", FORMATS.values(), ids=lambda entry: entry.name)
def test_detection_never_raises(entry: Format, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 and no more")
    (tmp_path / "a.json").write_bytes(b'{"images": [\xff')
    (tmp_path / "b.json").mkdir()
    (tmp_path / "annotations").write_text("a file")
    assert not entry.detect(tmp_path)
    assert not entry.detect(tmp_path / "broken.zip")
    assert not entry.detect(tmp_path / "absent")
    assert pickle.loads(pickle.dumps(entry)) == entry
