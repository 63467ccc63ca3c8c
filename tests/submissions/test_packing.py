import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import ids, save_picture
from predictions import (
    FULL_SIZE,
    write_ade20k,
    write_cityscapes,
    write_loveda,
    write_potsdam,
    write_predictions,
    write_vaihingen,
    write_voc,
)
from segnext.data.masks import read_stored
from segnext.errors import DataError, UsageError
from segnext.submissions import check_submission, pack_submission
from segnext.submissions.pictures import VOC_PALETTE

ADE = [f"ADE_test_{number:08}" for number in (1, 2, 3)]


def members(path: Path, out: Path) -> dict[str, Path]:
    """Unpack a submission; path by name in it."""
    if path.suffix == ".tar":
        with tarfile.open(path) as archive:
            archive.extractall(out, filter="data")
            names = archive.getnames()
    else:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            archive.extractall(out)
            names = archive.namelist()
    return {name: out / name for name in names}


@pytest.fixture
def ade(tmp_path: Path) -> tuple[Path, Path]:
    """Three pictures to test, and their predictions."""
    root = write_ade20k(tmp_path / "ADEChallengeData2016")
    return write_predictions(tmp_path / "predictions", "ade20k", ADE), root


def pack_ade(ade: tuple[Path, Path], out: Path, **options: Any) -> Path:
    return pack_submission("ade20k", *ade, out, **{"partial": True, **options}).path


def test_ade20k_gets_ids_from_1_named_as_the_pictures(
    ade: tuple[Path, Path], tmp_path: Path
) -> None:
    done: list[tuple[int, int]] = []
    out = tmp_path / "new" / "ade.zip"
    found = pack_submission(
        "ade20k", *ade, out, partial=True, on_progress=lambda *now: done.append(now)
    )
    assert (found.path, found.split, found.pictures) == (out, "test", 3)
    packed = members(out, tmp_path / "unpacked")
    assert list(packed) == [f"{name}.png" for name in ADE]
    for path in packed.values():
        kind, pixels = read_stored(path)
        assert kind == "ids"
        np.testing.assert_array_equal(pixels[..., 0], ids(1, 150))
    assert done[-1] == (6, 6)
    assert list(out.parent.iterdir()) == [out]
    assert check_submission("ade20k", out, ade[1], partial=True).pictures == 3


def test_cityscapes_gets_label_ids_at_full_size(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path / "city", "berlin_000000_000019", "bonn_000001_000019")
    frames = ("berlin/berlin_000000_000019", "bonn/bonn_000001_000019")
    stems = [f"{frame}_leftImg8bit" for frame in frames]
    mask = np.broadcast_to(np.resize(np.arange(19, dtype=np.uint8), 2048), FULL_SIZE)
    masks = write_predictions(tmp_path / "out", "cityscapes", stems, mask)
    out = tmp_path / "city.zip"
    pack_submission("cityscapes", masks / "masks", root, out, partial=True)
    packed = members(out, tmp_path / "unpacked")
    assert list(packed) == ["berlin_000000_000019_labelIds.png", "bonn_000001_000019_labelIds.png"]
    for path in packed.values():
        pixels = read_stored(path)[1][..., 0]
        assert pixels.shape == FULL_SIZE
        # From the publisher's table of labels.
        wanted = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
        assert pixels[0, :19].tolist() == wanted


@pytest.mark.parametrize(
    ("options", "folder"), [({}, "comp6_test_cls"), ({"comp": 5}, "comp5_test_cls")]
)
def test_voc_gets_palette_pictures_in_the_folder_of_its_competition(
    options: dict[str, int], folder: str, tmp_path: Path
) -> None:
    names = ["2008_000006", "2008_000011"]
    root = write_voc(tmp_path / "VOCdevkit", *names)
    masks = write_predictions(tmp_path / "out", "pascal_voc", names)
    out = tmp_path / "voc.tar"
    pack_submission("pascal_voc", masks, root, out, partial=True, options=options)
    packed = members(out, tmp_path / "unpacked")
    assert list(packed) == [f"results/VOC2012/Segmentation/{folder}/{name}.png" for name in names]
    for path in packed.values():
        kind, pixels = read_stored(path)
        assert kind == "palette"
        np.testing.assert_array_equal(pixels[..., 0], ids(0, 20))
    check_submission("pascal_voc", out, root, partial=True, options=options)
    with pytest.raises(
        DataError, match=r"is the mask of no picture; expected names such as results"
    ):
        check_submission(
            "pascal_voc", out, root, partial=True, options={"comp": 11 - options.get("comp", 6)}
        )


def test_loveda_gets_ids_from_0(tmp_path: Path) -> None:
    root = write_loveda(tmp_path / "LoveDA", 4191)
    mask = np.broadcast_to(np.resize(np.arange(7, dtype=np.uint8), 1024), (1024, 1024))
    masks = write_predictions(tmp_path / "out", "loveda", ["4191"], mask)
    pack_submission("loveda", masks, root, tmp_path / "loveda.zip", partial=True)
    packed = members(tmp_path / "loveda.zip", tmp_path / "unpacked")
    assert list(packed) == ["4191.png"]
    np.testing.assert_array_equal(read_stored(packed["4191.png"])[1][..., 0], mask)


@pytest.mark.parametrize(
    ("dataset", "write", "tile", "stem", "member"),
    [
        ("potsdam", write_potsdam, "2_13", "top_potsdam_2_13_RGB", "top_potsdam_2_13_label.tif"),
        (
            "vaihingen",
            write_vaihingen,
            "area2",
            "top_mosaic_09cm_area2",
            "top_mosaic_09cm_area2.tif",
        ),
    ],
)
def test_isprs_gets_whole_tiles_in_colours_named_as_its_labels(
    dataset: str, write: Any, tile: str, stem: str, member: str, tmp_path: Path
) -> None:
    root = write(tmp_path / dataset, tile)
    masks = write_predictions(tmp_path / "out", dataset, [stem], ids(0, 1, 2, 3, 4, 5))
    out = tmp_path / "tiles.zip"
    pack_submission(dataset, masks, root, out, partial=True)
    packed = members(out, tmp_path / "unpacked")
    assert list(packed) == [member]
    kind, pixels = read_stored(packed[member])
    assert kind == "color"
    white, blue, cyan = [255, 255, 255], [0, 0, 255], [0, 255, 255]
    green, yellow, red = [0, 255, 0], [255, 255, 0], [255, 0, 0]
    assert pixels[0, :6].tolist() == [white, blue, cyan, green, yellow, red]


def test_tiles_may_be_predicted_by_a_model_that_knows_no_clutter(tmp_path: Path) -> None:
    root = write_potsdam(tmp_path / "potsdam", "2_13")
    names = ("impervious_surface", "building", "low_vegetation", "tree", "car")
    stems = ["top_potsdam_2_13_RGB"]
    masks = write_predictions(tmp_path / "out", "potsdam", stems, ids(0, 4), names=names)
    assert pack_submission("potsdam", masks, root, tmp_path / "a.zip", partial=True).pictures == 1


def test_patches_are_no_tiles(tmp_path: Path) -> None:
    name = "2_13_0_0_512_512"
    save_picture(tmp_path / f"p/img_dir/val/{name}.png")
    save_picture(tmp_path / f"p/ann_dir/val/{name}.png", ids(0, 1))
    masks = write_predictions(tmp_path / "out", "potsdam", [name])
    with pytest.raises(DataError, match=r"2_13_0_0_512_512.png: is no picture as ISPRS Potsdam"):
        pack_submission("potsdam", masks, tmp_path / "p", tmp_path / "a.zip", partial=True)


def test_the_same_masks_give_the_same_bytes(ade: tuple[Path, Path], tmp_path: Path) -> None:
    first = pack_ade(ade, tmp_path / "a.zip").read_bytes()
    for path in (ade[0] / "masks").iterdir():
        path.write_bytes(path.read_bytes())  # touched, not changed
    assert pack_ade(ade, tmp_path / "b.zip").read_bytes() == first
    root = write_voc(tmp_path / "VOCdevkit", "2008_000006")
    masks = write_predictions(tmp_path / "voc", "pascal_voc", ["2008_000006"])
    tars = [tmp_path / "a.tar", tmp_path / "b.tar"]
    for out in tars:
        pack_submission("pascal_voc", masks, root, out, partial=True)
    assert tars[0].read_bytes() == tars[1].read_bytes()


def test_half_a_data_set_is_refused(ade: tuple[Path, Path], tmp_path: Path) -> None:
    message = r"test of ADE20K has 3,352 or 2,000 pictures, found 3; .* with --partial"
    with pytest.raises(DataError, match=message):
        pack_ade(ade, tmp_path / "a.zip", partial=False)
    assert not (tmp_path / "a.zip").exists()


def test_a_missing_split_is_named(ade: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no pictures of val2, only train, val, test; ADE20K"):
        pack_ade(ade, tmp_path / "a.zip", split="val2")


def test_missing_and_foreign_masks_are_named(ade: tuple[Path, Path], tmp_path: Path) -> None:
    (ade[0] / "masks" / f"{ADE[1]}.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 pictures of test have no mask, such as .*002.jpg"):
        pack_ade(ade, tmp_path / "a.zip")
    save_picture(ade[0] / "masks" / "holiday.png", ids(0))
    message = r"holiday.png: is a mask of no picture of test, such as ADE_test_00000001"
    with pytest.raises(DataError, match=message):
        pack_ade(ade, tmp_path / "a.zip")


def test_two_masks_of_one_picture_are_refused(ade: tuple[Path, Path], tmp_path: Path) -> None:
    save_picture(ade[0] / "masks" / "again" / f"{ADE[1]}.png", ids(0))
    with pytest.raises(DataError, match=r"are masks of one picture; keep one of them"):
        pack_ade(ade, tmp_path / "a.zip")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (ids(0, 150), r"300 pixels hold 150, but train ids run from 0 to 149 \(flag\)"),
        (ids(0, 255), r"300 pixels hold 255, but train ids"),
        (ids(0)[:10], r"30x10 pixels, but its picture .*ADE_test_00000002.jpg has 30x20"),
        (np.zeros((20, 30, 3), np.uint8), r"holds no ids of 8 bit; give the masks"),
        (np.eye(20, 30, dtype=np.uint16), r"holds no ids of 8 bit"),
    ],
)
def test_a_wrong_mask_is_named_and_nothing_is_written(
    mask: Any, message: str, ade: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "packs" / "a.zip"
    pack_ade(ade, out)
    before = out.read_bytes()
    save_picture(ade[0] / "masks" / f"{ADE[1]}.png", mask)
    with pytest.raises(DataError, match=rf"{ADE[1]}.png: {message}"):
        pack_ade(ade, out)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_a_corrupt_mask_is_named(ade: tuple[Path, Path], tmp_path: Path) -> None:
    path = ade[0] / "masks" / f"{ADE[1]}.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=rf"{ADE[1]}.png"):
        pack_ade(ade, tmp_path / "a.zip")


def test_resized_pictures_are_refused_where_the_server_knows_the_size(tmp_path: Path) -> None:
    root = write_cityscapes(tmp_path / "city")
    name = "berlin_000000_000019_leftImg8bit"
    save_picture(root / f"leftImg8bit/test/berlin/{name}.png")
    masks = write_predictions(tmp_path / "out", "cityscapes", [name])
    with pytest.raises(DataError, match=r"30x20 pixels, but the server of .* wants 2048x1024"):
        pack_submission("cityscapes", masks, root, tmp_path / "a.zip", partial=True)


def test_masks_of_other_classes_are_refused(tmp_path: Path) -> None:
    root = write_ade20k(tmp_path / "ade")
    masks = write_predictions(tmp_path / "out", "ade20k", ADE, names=("wall", "sky"))
    message = r"areas.json: these masks know other classes: train id 1 is sky, not building"
    with pytest.raises(DataError, match=message):
        pack_submission("ade20k", masks, root, tmp_path / "a.zip", partial=True)
    (masks / "areas.json").write_text("{")  # masks without it are packed all the same
    pack_submission("ade20k", masks, root, tmp_path / "a.zip", partial=True)


def test_a_model_of_more_classes_is_refused(tmp_path: Path) -> None:
    root = write_potsdam(tmp_path / "potsdam", "2_13")
    names = ("impervious_surface", "building", "low_vegetation", "tree", "car", "clutter", "sea")
    stems = ["top_potsdam_2_13_RGB"]
    masks = write_predictions(tmp_path / "out", "potsdam", stems, names=names)
    with pytest.raises(DataError, match=r"train id 6 is sea, not none"):
        pack_submission("potsdam", masks, root, tmp_path / "a.zip", partial=True)


def test_wrong_use_is_answered(ade: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a submission of ade20k is a .zip file; name it so"):
        pack_ade(ade, tmp_path / "a.tar")
    with pytest.raises(UsageError, match=r"submissions of ade20k have no options, so 'comp'"):
        pack_ade(ade, tmp_path / "a.zip", options={"comp": 5})
    with pytest.raises(UsageError, match=r"unknown data set with a test server 'camvid'"):
        pack_submission("camvid", *ade, tmp_path / "a.zip")
    with pytest.raises(DataError, match=r"nowhere: no such folder; name the one that segnext"):
        pack_submission("ade20k", tmp_path / "nowhere", ade[1], tmp_path / "a.zip", partial=True)


def repack(path: Path, **changes: bytes | None) -> Path:
    """Write a zip again with members changed, added or (`None`) left out; `__` stands for `/`."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content |= {name.replace("__", "/") + ".png": data for name, data in changes.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def png(tmp_path: Path, pixels: Any, **options: Any) -> bytes:
    return save_picture(tmp_path / "made.png", pixels, **options).read_bytes()


def test_a_check_finds_what_a_server_would_refuse(ade: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "a.zip"

    def refuses(message: str, **changes: bytes | None) -> None:
        pack_ade(ade, out)
        repack(out, **changes)
        with pytest.raises(DataError, match=message):
            check_submission("ade20k", out, ade[1], partial=True)

    pack_ade(ade, out)
    check_submission("ade20k", repack(out), ade[1], partial=True)
    name = ADE[0]
    refuses(r"holds 2 masks of 3; not ADE_test_00000001.png", **{name: None})
    refuses(r"'results/x.png' is the mask of no picture; .* ADE_test_", results__x=b"")
    refuses(r"'../ADE_test_00000001.png' is the mask of no", **{f"..__{name}": b""})
    zeros = png(tmp_path, ids(0, 1))
    refuses(
        r"300 pixels hold 0, which is void, but the server of ade20k takes 1 to 150",
        **{name: zeros},
    )
    refuses(r"600 pixels hold 255, which is void", **{name: png(tmp_path, ids(255))})
    refuses(r"30x10 pixels, but its picture", **{name: png(tmp_path, ids(1)[:10])})
    color = png(tmp_path, np.zeros((20, 30, 3), np.uint8))
    refuses(r"should be an 8-bit grey PNG", **{name: color})
    refuses(r"should be an 8-bit grey PNG", **{name: png(tmp_path, ids(1).astype(np.uint16))})
    jpeg = save_picture(tmp_path / "a.jpg", ids(1)).read_bytes()
    refuses(r"should be an 8-bit grey PNG", **{name: jpeg})
    refuses(r"ADE_test_00000001.png", **{name: b"nothing"})
    refuses(r"67,937 bytes, more than the 67,936 that such a mask may have", **{name: b"0" * 67937})


def test_a_check_takes_any_name_that_the_script_of_cityscapes_finds(tmp_path: Path) -> None:
    name = "berlin_000000_000019"
    root = write_cityscapes(tmp_path / "city", name)
    page = png(tmp_path, np.full(FULL_SIZE, 7, np.uint8))
    path = tmp_path / "a.zip"
    for member in (f"{name}.png", f"results/berlin/{name}_leftImg8bit.png"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(member, page)
        assert check_submission("cityscapes", path, root, partial=True).pictures == 1
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.png", page)
        archive.writestr(f"b/{name}_b.png", page)
    with pytest.raises(DataError, match=r"are masks of one picture; keep one"):
        check_submission("cityscapes", path, root, partial=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.png", png(tmp_path, np.full(FULL_SIZE, 18, np.uint8)))
    with pytest.raises(DataError, match=r"hold 18, which is void, but .* takes 7, 8, 11, 12"):
        check_submission("cityscapes", path, root, partial=True)


def test_a_check_looks_at_palettes_and_colours(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOCdevkit", "2008_000006")
    member = "results/VOC2012/Segmentation/comp6_test_cls/2008_000006.png"

    def save(pixels: Any, palette: Any) -> Path:
        from PIL import Image

        page = Image.fromarray(pixels)
        page.putpalette(palette.tobytes())
        page.save(tmp_path / "made.png")
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.add(tmp_path / "made.png", member)
        return tmp_path / "a.tar"

    check_submission("pascal_voc", save(ids(0, 20), VOC_PALETTE), root, partial=True)
    with pytest.raises(DataError, match=r"its palette is not that of VOC"):
        check_submission("pascal_voc", save(ids(0, 20), VOC_PALETTE[::-1]), root, partial=True)
    with pytest.raises(DataError, match=r"hold 255, which is void, but .* takes 0 to 20"):
        check_submission("pascal_voc", save(ids(0, 255), VOC_PALETTE), root, partial=True)
    tiles = write_potsdam(tmp_path / "potsdam", "2_13")
    strange = np.full((20, 30, 3), (255, 128, 0), np.uint8)
    page = save_picture(tmp_path / "made.tif", strange)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(page, "top_potsdam_2_13_label.tif")
    with pytest.raises(DataError, match=r"600 pixels have 255,128,0 \(#ff8000\), the colour of no"):
        check_submission("potsdam", tmp_path / "a.zip", tiles, partial=True)
