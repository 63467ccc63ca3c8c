import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pictures import ids, save_pairs, save_picture, save_splits
from segnext.data.fingerprint import ClassFingerprint, Fingerprint, take_fingerprint
from segnext.data.folder import open_folder
from segnext.data.statistics import PixelStatistics
from segnext.errors import DataError, UsageError

NAMES = "road\npole\nsky\n"


def _save_masks(root: Path, split: str, *masks: np.ndarray) -> None:
    for index, mask in enumerate(masks):
        save_picture(root / split / "masks" / f"{split}_{index}.png", mask)


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """Two training pictures of 30 x 20: a pole of 2 x 20, ten crumbs of it, one ignored row."""
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "classes.txt").write_text(NAMES)
    first = np.zeros((20, 30), np.uint8)
    first[:, 4:6] = 1
    first[0, 10:30:2] = 1
    first[19] = 255
    second = np.zeros((20, 30), np.uint8)
    _save_masks(tmp_path, "train", first, second)
    # Noise of their own, so that no two pictures resemble each other.
    for seed, path in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        noise = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        save_picture(path, noise)
    return tmp_path


def test_sizes_and_splits(street: Path) -> None:
    save_picture(street / "val/images/val_0.jpg", np.zeros((64, 50, 3), np.uint8))
    found = take_fingerprint(open_folder(street))
    assert found.splits == {"train": 2, "val": 1}
    assert (found.sampled, found.channels, found.bits) == (2, 3, 8)
    assert (found.height, found.width) == ((20, 20, 64), (30, 30, 50))


def test_classes(street: Path) -> None:
    found = take_fingerprint(open_folder(street))
    road, pole, sky = found.classes
    assert found.counted_pixels == 1200 - 30
    assert found.ignored_share == 30 / 1200
    assert pole == ClassFingerprint(
        name="pole",
        pixels=38 + 10,
        pixel_share=48 / 1170,
        image_share=0.5,
        pixels_where_present=570,
        components=11,
        median_area=1,
        small_area=1,
        median_width=1.5,  # two rows of 1.5 along the pole, ten crumbs of 1.5
    )
    assert (road.pixels, road.image_share, road.components) == (570 - 48 + 600, 1, 3)
    assert sky == ClassFingerprint("sky", 0, 0, 0, 0, 0, None, None, None)


def test_crumbs_do_not_decide_about_the_width(street: Path) -> None:
    """A strip 8 wide has 160 pixels in 20 rows, 40 crumbs have one pixel each."""
    mask = np.zeros((20, 30), np.uint8)
    mask[:, :8] = 1
    mask[::2, 10:30:5] = 1
    _save_masks(street, "train", mask, mask)
    pole = take_fingerprint(open_folder(street)).classes[1]
    assert (pole.components, pole.median_area) == (82, 1)
    assert pole.median_width == pytest.approx(8, abs=0.5)


def test_values(street: Path) -> None:
    for index, value in enumerate((51, 153)):
        image = np.full((20, 30, 3), value, np.uint8)
        save_picture(street / f"train/images/train_{index}.png", image)
        (street / f"train/images/train_{index}.jpg").unlink()
    values = take_fingerprint(open_folder(street)).values
    assert values == PixelStatistics(
        low=(0.2,) * 3,
        median=(0.2,) * 3,
        high=(0.6,) * 3,
        mean=pytest.approx((0.4,) * 3),
        std=pytest.approx((0.2,) * 3),
    )


def test_only_a_sample_is_read(tmp_path: Path) -> None:
    save_splits(tmp_path, train=5, val=1)
    _save_masks(tmp_path, "train", *[ids(index % 2) for index in range(5)])
    found = take_fingerprint(open_folder(tmp_path), limit=3)  # pictures 0, 2 and 4
    assert (found.sampled, found.splits["train"]) == (3, 5)
    assert [entry.pixels for entry in found.classes] == [1800, 0]


def test_a_single_class_has_two_labels(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "classes.txt").write_text("road\n")
    found = take_fingerprint(open_folder(tmp_path))
    assert [(entry.name, entry.pixel_share) for entry in found.classes] == [
        ("background", 0.5),
        ("road", 0.5),
    ]


def test_masks_that_ignore_everything(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=1)
    (tmp_path / "classes.txt").write_text(NAMES)
    _save_masks(tmp_path, "train", ids(255), ids(255))
    found = take_fingerprint(open_folder(tmp_path))
    assert (found.counted_pixels, found.ignored_share) == (0, 1)
    assert {entry.pixel_share for entry in found.classes} == {0}
    assert "classes: no pixel in the masks read: road, pole, sky" in found.describe()


def test_groups(tmp_path: Path) -> None:
    pairs = {"train": ("v1_0", "v1_1", "v2_0"), "val": ("v2_1", "v3_0")}
    for split, names in pairs.items():
        save_pairs(tmp_path, {f"{split}/images/{n}.jpg": f"{split}/masks/{n}.png" for n in names})
    found = take_fingerprint(open_folder(tmp_path, group=r"v\d"))
    assert (found.groups, found.shared_groups) == ({"train": 2, "val": 2}, ("v2",))
    assert "leak: 1 groups lie in several splits: v2" in found.describe()


def test_equal_names_without_a_rule_are_no_groups(tmp_path: Path) -> None:
    for split in ("train", "val"):
        save_pairs(tmp_path, {f"{split}/images/a.jpg": f"{split}/masks/a.png"})
    found = take_fingerprint(open_folder(tmp_path))
    assert (found.groups, found.shared_groups) == ({}, ())


def test_near_duplicates(street: Path) -> None:
    with Image.open(street / "train/images/train_1.jpg") as picture:
        picture.save(street / "val/images/val_0.jpg", quality=80)
    found = take_fingerprint(open_folder(street))
    (near,) = found.near_duplicates
    assert (near.splits, near.pairs, near.pictures) == (("train", "val"), 1, 1)
    assert near.examples == (("train_1", "val_0"),)
    assert found.describe()[-1] == (
        "near-duplicates: 1 of 1 val pictures resemble one of 2 in train, such as val_0 and train_1"
    )


def _save_tiles(root: Path, tags: list[tuple[int, str, int, object, bool]]) -> Path:
    """Write two training tiles of two 16-bit bands, whose left third has no data."""
    for split, count in (("train", 2), ("val", 1)):
        for index in range(count):
            tile = np.random.default_rng(index).integers(1, 4000, (20, 30, 2), dtype=np.uint16)
            tile[:, :10] = 0
            tile[:, 10, 0] = 0  # one band only: observed
            path = root / split / "images" / f"{split}_{index}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(
                path, tile, photometric="minisblack", planarconfig="contig", extratags=tags
            )
            save_picture(root / split / "masks" / f"{split}_{index}.png", ids(0, 1))
    return root


_NODATA = (42113, "s", 0, "0", True)
_METRES = [
    (33550, "d", 3, (0.5, 0.5, 0.0), True),
    (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3076, 0, 1, 9001), True),
]


@pytest.mark.parametrize(("tags", "given"), [([_NODATA], None), ([], 0)])
def test_nodata_declared_or_given(
    tmp_path: Path, tags: list[tuple[int, str, int, object, bool]], given: float | None
) -> None:
    found = take_fingerprint(open_folder(_save_tiles(tmp_path, tags)), nodata=given)
    assert (found.nodata, found.nodata_share) == (0, 1 / 3)
    assert (found.channels, found.bits, found.counted_pixels) == (2, 16, 800)
    assert found.ignored_share == 0
    tiles = [tifffile.imread(path) for path in sorted(tmp_path.rglob("train_*.tif"))]
    observed = np.concatenate([tile[:, 10:].reshape(-1, 2) for tile in tiles]) / 65535
    expected = np.percentile(observed, 50, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(found.values.median, expected, rtol=0, atol=1e-12)
    assert "nodata: 33.3 % of pixels have the value 0" in found.describe()


def test_given_nodata_outranks_the_declared(tmp_path: Path) -> None:
    found = take_fingerprint(open_folder(_save_tiles(tmp_path, [_NODATA])), nodata=9999)
    assert (found.nodata, found.nodata_share) == (9999, 0)


def test_pictures_without_nodata(tmp_path: Path) -> None:
    found = take_fingerprint(open_folder(_save_tiles(tmp_path, [])))
    assert (found.nodata, found.nodata_share, found.metres_per_pixel) == (None, 0, None)


def test_ground_sampling_distance(tmp_path: Path) -> None:
    found = take_fingerprint(open_folder(_save_tiles(tmp_path, _METRES)))
    assert found.metres_per_pixel == 0.5
    assert "ground: 0.5 m per pixel" in found.describe()


def test_description(street: Path) -> None:
    assert take_fingerprint(open_folder(street)).describe() == [
        "pictures: 30 x 20 px, 8-bit RGB; 2 train, 1 val",
        "masks: 2 of 2 read, 2.5 % of pixels ignored",
        "classes: 3; rarest pole, 4.1 % of pixels, in 50 % of pictures; thinnest pole, 1.5 px wide",
        "classes: no pixel in the masks read: sky",
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda root: _save_tiles(root, [_NODATA, *_METRES]),
        lambda root: save_splits(root, train=2, val=2),
    ],
    ids=["tiles", "near-duplicates"],
)
def test_json(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    found = take_fingerprint(open_folder(make(tmp_path)))
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Fingerprint.from_dict(json.loads(text)) == found


def test_json_of_another_kind() -> None:
    with pytest.raises(KeyError, match="values"):
        Fingerprint.from_dict({})


def test_a_limit_below_one(street: Path) -> None:
    with pytest.raises(UsageError, match=r"at least one picture, got limit 0"):
        take_fingerprint(open_folder(street), limit=0)


def test_pictures_of_nothing_but_nodata(street: Path) -> None:
    for path in street.rglob("*.jpg"):
        save_picture(path, np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(DataError, match=r"no pixel of the pictures read holds data"):
        take_fingerprint(open_folder(street), nodata=0)


def test_a_mask_of_another_size_is_named(street: Path) -> None:
    _save_masks(street, "train", ids(0), np.zeros((9, 9), np.uint8))
    with pytest.raises(DataError, match=r"train_1\.png: 9x9 pixels, but its image"):
        take_fingerprint(open_folder(street))


def test_the_order_of_threads_does_not_matter(street: Path) -> None:
    folder = open_folder(street)
    assert take_fingerprint(folder) == take_fingerprint(folder)
