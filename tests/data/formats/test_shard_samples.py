import pytest

from segnext.data.formats import shard_samples
from segnext.data.formats.shard_samples import Extensions, Sample, find_samples, holds_samples
from segnext.data.images import IMAGE_SUFFIXES
from segnext.errors import DataError, UsageError


def one(*extensions: str, wanted: Extensions | None = None) -> tuple[str | None, str | None]:
    """Return extensions of the picture and the mask chosen among those of the key `a`."""
    members = [(f"a.{extension}", 0, 0) for extension in extensions]
    (sample,) = find_samples(members, wanted or Extensions(), "x.tar")
    image, mask = (
        name.removeprefix("a.") if name else None for name in (sample.image, sample.mask)
    )
    return image, mask


def test_every_kind_of_picture_is_known() -> None:
    assert {f".{suffix}" for suffix in shard_samples._PICTURES} == IMAGE_SUFFIXES


@pytest.mark.parametrize(
    ("extensions", "image", "mask"),
    [
        (("jpg", "png"), "jpg", "png"),
        (("png", "jpg", "json", "cls"), "jpg", "png"),
        (("JPG", "Png"), "JPG", "Png"),
        (("tif", "png"), "tif", "png"),
        (("png", "seg.png"), "png", "seg.png"),
        (("jpg", "cls.png"), "jpg", "cls.png"),
        (("image.png", "mask.png"), "image.png", "mask.png"),
        (("image.png", "labels.png"), "image.png", "labels.png"),
        (("img.jpg", "png"), "img.jpg", "png"),
        (("jpg", "gt_fine.tif"), "jpg", "gt_fine.tif"),
        (("jpg", "png", "mask.png"), "jpg", "mask.png"),
        (("png",), "png", None),
        (("jpg",), "jpg", None),
        (("mask.png",), None, None),
        (("jpg", "depth.png"), "jpg", None),
        (("json",), None, None),
        (("jpg", "tif"), "jpg", None),
    ],
)
def test_the_rule_for_pictures_and_masks(
    extensions: tuple[str, ...], image: str | None, mask: str | None
) -> None:
    assert one(*extensions) == (image, mask)


def test_options_name_other_extensions() -> None:
    wanted = Extensions.parse("left.png", [".depth.png", "d.tif"])
    assert one("left.png", "right.png", "depth.png", wanted=wanted) == ("left.png", "depth.png")
    assert one("left.png", "d.tif", "mask.png", wanted=wanted) == ("left.png", "d.tif")
    assert one("jpg", "depth.png", wanted=wanted) == (None, None)
    # A bare PNG is no mask where masks have another extension.
    assert one("jpg", "png", wanted=Extensions.parse(None, "d.tif")) == ("jpg", None)
    for value in (5, "", [], ["a", 3], "."):
        with pytest.raises(UsageError, match=r"mask: must be an extension such as png"):
            Extensions.parse(None, value)
    with pytest.raises(UsageError, match=r"the extension png cannot be of pictures and of masks"):
        Extensions.parse("png", "PNG")


def test_a_choice_among_masks_is_said() -> None:
    members = [(f"a.{extension}", 0, 0) for extension in ("jpg", "seg.png", "mask.png")]
    (sample,) = find_samples(members, Extensions(), "x.tar")
    assert sample.mask == "a.mask.png"
    assert sample.choice == (
        "shards: samples have masks mask.png and seg.png; mask.png is taken, "
        "options: {mask: seg.png} takes the other"
    )


def test_members_of_one_key_are_a_sample() -> None:
    names = ("day/1.jpg", "night/1.jpg", "day/1.png", ".hidden/2.jpg", "day/._1.jpg", "../3.jpg")
    assert find_samples([(name, 0, 0) for name in names], Extensions(), "x.tar") == [
        Sample("day/1", "day/1.jpg", "day/1.png"),
        Sample("night/1", "night/1.jpg", None),
    ]


def test_two_members_of_one_name_are_an_error() -> None:
    members = [("1.jpg", 0, 0), ("./1.JPG", 0, 0)]
    with pytest.raises(DataError, match=r"x\.tar: has two members 1\.JPG; write the shard again"):
        find_samples(members, Extensions(), "x.tar")
    assert not holds_samples(members)


def test_folders_in_a_tar_are_no_samples() -> None:
    folders = [("JPEGImages/1.jpg", 0, 0), ("SegmentationClass/1.png", 0, 0)]
    assert not holds_samples(folders)
    assert holds_samples([*folders, ("1.jpg", 0, 0), ("1.png", 0, 0)])
