from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from checked_folders import (
    HEIGHT,
    WIDTH,
    check,
    codes,
    find,
    photo,
    stripes,
    write_data,
    write_pair,
)
from pictures import save_picture

MASK = stripes([0, 1])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_data(tmp_path, MASK, "a, b", train=12, val=10)


def test_a_whole_data_set_has_no_findings(root: Path) -> None:
    checkup = check(root)
    assert checkup.findings == ()
    assert checkup.passed
    assert checkup.sizes is not None
    assert checkup.sizes.common == ((WIDTH, HEIGHT, 22),)


def test_every_broken_file_is_listed_and_the_rest_is_read(root: Path) -> None:
    for name in ("train_0", "train_1"):
        (root / f"train/images/{name}.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (root / "val/masks/val_3.png").write_bytes(b"")
    checkup = check(root)
    pictures, masks = find(checkup, "broken_pictures"), find(checkup, "broken_masks")
    assert pictures.title == "2 pictures cannot be read."
    assert pictures.severity == masks.severity == "error"
    assert [line.split(":")[0] for line in pictures.examples] == [
        "train/images/train_0.png",
        "train/images/train_1.png",
    ]
    assert masks.examples[0].startswith("val/masks/val_3.png: the file is empty")
    assert checkup.folder is not None
    assert [len(part) for part in checkup.folder.splits.values()] == [10, 9]


def test_jpeg_masks_are_named_as_such(root: Path) -> None:
    (root / "train/masks/train_0.png").unlink()
    save_picture(root / "train/masks/train_0.jpg", MASK)
    finding = find(check(root), "jpeg_masks")
    assert finding.title == "1 mask is JPEG, which changes labels along every edge."


def test_masks_of_other_size_and_of_unrotated_pictures_differ(root: Path) -> None:
    save_picture(root / "train/masks/train_0.png", MASK[::2, ::2])
    exif = Image.Exif()
    exif[0x0112] = 6
    (root / "train/images/train_1.png").unlink()
    save_picture(root / "train/images/train_1.jpg", photo("turned"), exif=exif)
    checkup = check(root)
    assert find(checkup, "masks_of_other_size").examples == (
        "train/masks/train_0.png: 24x20, its picture 48x40",
    )
    assert find(checkup, "masks_of_unrotated_pictures").examples == (
        "train/masks/train_1.png: 48x40, its picture 40x48 (EXIF orientation 6)",
    )


def test_odd_and_tiny_sizes(root: Path) -> None:
    save_picture(root / "val/images/val_0.png", photo("odd", 30, 48))
    save_picture(root / "val/masks/val_0.png", MASK[:30])
    checkup = check(root)
    assert find(checkup, "small_pictures").examples == ("val/images/val_0.png: 48x30",)
    odd = find(checkup, "odd_sizes")
    assert odd.severity == "note"
    assert odd.title == "1 picture has another size than the other 95.5 %, 48x40."
    assert checkup.sizes is not None
    assert checkup.sizes.height == (30, 40, 40)


def test_unpaired_files_are_listed(root: Path) -> None:
    save_picture(root / "train/images/alone.png", photo("alone"))
    save_picture(root / "train/masks/orphan-seg.png", MASK)
    save_picture(root / "preview.png", photo("preview"))
    checkup = check(root)
    assert find(checkup, "unpaired_pictures").examples == ("train/images/alone.png",)
    assert find(checkup, "unpaired_masks").examples == ("train/masks/orphan-seg.png",)
    assert checkup.passed


def test_photos_of_a_known_data_set_without_their_mask_are_listed(tmp_path: Path) -> None:
    for split, first in (("train", 6690), ("val", 7959)):
        sequence = "0001TP" if split == "train" else "0016E5"
        for number in range(first, first + 3):
            write_pair(tmp_path, split, f"{sequence}_{number:06}", MASK)
    assert not codes(check(tmp_path, format="camvid")).keys() & {"unpaired_pictures"}
    (tmp_path / "train/masks/0001TP_006691.png").unlink()
    # Other pictures beside the masks are nothing odd in a known data set.
    save_picture(tmp_path / "train/masks/0001TP_006690_instances.png", MASK)
    checkup = check(tmp_path, format="camvid")
    assert find(checkup, "unpaired_pictures").examples == ("train/images/0001TP_006691.png",)
    assert "unpaired_masks" not in codes(checkup)


def test_grey_pictures_among_colour_are_a_note_and_four_bands_an_error(root: Path) -> None:
    save_picture(root / "train/images/train_0.png", photo("grey")[..., 0])
    assert codes(check(root)) == {"mixed_channels": "note"}
    (root / "train/images/train_0.png").unlink()
    tifffile.imwrite(root / "train/images/train_0.tif", np.zeros((40, 48, 4), np.uint8))
    checkup = check(root)
    finding = find(checkup, "mixed_channels")
    assert finding.severity == "error"
    assert finding.examples == ("train/images/train_0.tif: 4",)
    assert checkup.folder is not None
    assert len(checkup.folder.splits["train"]) == 11


def test_16_bit_pictures_that_hold_8_bits(root: Path) -> None:
    (root / "train/images/train_0.png").unlink()
    tifffile.imwrite(root / "train/images/train_0.tif", photo("deep").astype(np.uint16))
    checkup = check(root)
    assert find(checkup, "mixed_bits").examples == ("train/images/train_0.tif",)
    assert find(checkup, "narrow_bits").title.startswith("1 of 1 16-bit pictures hold no value")
