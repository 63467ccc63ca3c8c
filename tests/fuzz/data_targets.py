"""Readers of pictures, labels and whole data sets; none of them needs torch."""

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from brush_strokes import encode_brush
from coco_files import annotation, box, content
from fuzz.mutator import encode_json, encode_yaml, mend_png
from fuzz.target import NUMBERS, YAML_TOKENS, Target
from pictures import PHOTO, ids, save_picture
from segnext.data.data_yaml import read_data_yaml
from segnext.data.folder import open_folder
from segnext.data.formats.brush_rle import decode_brush
from segnext.data.formats.registry import FORMATS
from segnext.data.images import read_image
from segnext.data.masks import read_stored
from segnext.data.taxonomy import read_classes
from segnext.errors import SegnextError


def _encode(suffix: str, pixels: Any = PHOTO, *options: int) -> bytes:
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def _exif() -> bytes:
    file = io.BytesIO()
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PHOTO).save(file, "jpeg", exif=exif)
    return file.getvalue()


def _indexed() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(ids(0, 1, 2)).convert("P")
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(file, "png")
    return file.getvalue()


def _tiffs() -> list[bytes]:
    kinds: list[dict[str, Any]] = [
        {},
        {"compression": "zlib"},
        {"tile": (16, 16), "compression": "zlib"},
        {"rowsperstrip": 2},
        {"bigtiff": True},
        {"extratags": [(42113, "s", 0, "255", True), (33550, "d", 3, (0.1, 0.1, 0.0), True)]},
    ]
    found = []
    for kind in kinds:
        file = io.BytesIO()
        tifffile.imwrite(file, PHOTO, photometric="rgb", **kind)
        found.append(file.getvalue())
    others: list[tuple[Any, dict[str, str]]] = [
        (ids(0, 1), {}),
        (np.zeros((8, 9, 5), np.uint16), {"planarconfig": "contig"}),
        (np.zeros((3, 8, 9), np.uint8), {"planarconfig": "separate"}),
    ]
    for pixels, layout in others:
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, photometric="minisblack", **layout)
        found.append(file.getvalue())
    return found


def _read_picture(folder: Path, name: str) -> None:
    refused = []
    readers = (partial(read_image, channels=3), read_stored)
    for read in readers:
        try:
            read(folder / name)
        except SegnextError as error:
            refused.append(error)
    if len(refused) == len(readers):
        raise refused[0]


def _picture(suffix: str, seeds: Callable[[], Sequence[bytes]], **options: Any) -> Target:
    name = f"picture.{suffix}"
    return Target(suffix, name, partial(_read_picture, name=name), seeds, **options)


def _read_format(folder: Path, name: str) -> None:
    entry = FORMATS[name]
    entry.detect(folder)
    layout = entry.read(folder)
    for items in (*layout.splits.values(), layout.pool):
        for item in items:
            if item.mask_path is not None:
                assert layout.masks is not None
                layout.masks.read(item)


def _photos(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            save_picture(folder / name)

    return make


def _format(name: str, file: str, seeds: Callable[[], Sequence[Any]], **options: Any) -> Target:
    options = {"encode": encode_json, "prepare": _photos("images/a.png"), **options}
    return Target(name, file, partial(_read_format, name=name), seeds, **options)


def _coco() -> list[Any]:
    shapes = [
        annotation(1, 3, [box(2, 2, 9, 9), box(12, 2, 19, 9)]),
        annotation(1, 7, {"size": [20, 30], "counts": [100, 50, 450]}, id=2),
        annotation(1, 7, {"size": [20, 30], "counts": "T3b1R>"}, id=3, iscrowd=1),
        annotation(1, 3, [], id=4, bbox=[1.0, 2.0, 5.0, 6.0]),
    ]
    return [content(["a.png"], shapes[:1]), content(["a.png"], shapes)]


def _labelme() -> list[Any]:
    mask = base64.b64encode(_encode(".png", ids(0, 1)[:5, :6])).decode()
    shapes = [
        {"label": "car", "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 9]]},
        {"label": "car", "shape_type": "circle", "points": [[9, 9], [12, 9]]},
        {"label": "dog", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]},
        {"label": "dog", "shape_type": "mask", "points": [[2, 3], [7, 7]], "mask": mask},
    ]
    about = {"imagePath": "a.png", "imageHeight": 20, "imageWidth": 30}
    return [{**about, "shapes": shapes}]


def _label_studio() -> list[Any]:
    strokes = list(encode_brush(ids(0, 1)[:20, :30] > 0))
    values = [
        ("rectanglelabels", {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 5}),
        ("polygonlabels", {"points": [[0, 50], [50, 50], [50, 100]]}),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 5, "rotation": 45}),
        ("brushlabels", {"format": "rle", "rle": strokes}),
    ]
    results = [
        {
            "type": kind,
            "original_width": 30,
            "original_height": 20,
            "image_rotation": 0,
            "value": {kind: ["car"], **value},
        }
        for kind, value in values
    ]
    annotations = [{"id": 1, "was_cancelled": False, "result": results}]
    return [[{"id": 1, "annotations": annotations, "data": {"image": "/data/upload/1/a.png"}}]]


def _datumaro() -> list[Any]:
    told = {"attributes": {"rotation": 5.0}, "group": 0, "z_order": 0}
    shapes = [
        {**told, "type": "bbox", "label_id": 0, "bbox": [0.0, 10.0, 30.0, 10.0]},
        {**told, "type": "polygon", "label_id": 1, "points": [5.0, 8.0, 15.0, 8.0, 15.0, 14.0]},
        {**told, "type": "mask", "label_id": 1, "rle": {"counts": "T3b1R>", "size": [20, 30]}},
        {**told, "type": "ellipse", "label_id": 1, "points": [5.0, 8.0, 15.0, 14.0]},
    ]
    labels = [{"name": "road", "parent": "", "attributes": []}, {"name": "car", "parent": ""}]
    colors = [{"label_id": 0, "r": 1, "g": 2, "b": 3}, {"label_id": 1, "r": 0, "g": 0, "b": 142}]
    categories = {"label": {"labels": labels}, "mask": {"colormap": colors}}
    item = {"id": "a", "annotations": shapes, "image": {"path": "a.png", "size": [20, 30]}}
    return [{"info": {}, "categories": categories, "items": [item]}]


_CVAT = b"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>car</name><color>#102030</color></label><label><name>dog</name></label></labels>
</task></meta><image id="0" name="a.png" width="30" height="20">
<polygon label="car" points="1.0,1.0;9.0,1.0;9.0,9.0" z_order="0"></polygon>
<box label="dog" xtl="1" ytl="2" xbr="9" ybr="9" rotation="10" z_order="1"></box>
<ellipse label="dog" cx="10" cy="10" rx="5" ry="4" z_order="0"></ellipse>
<mask label="car" rle="3, 5, 8, 9" left="2" top="3" width="5" height="5" z_order="2"></mask>
</image></annotations>"""
_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;">]><annotations><image name="&c;"/></annotations>"""


def _save_masks(folder: Path) -> None:
    save_picture(folder / "JPEGImages/a.png")
    save_picture(folder / "SegmentationClass/a.png", np.zeros((20, 30, 3), np.uint8))


def _save_pairs(folder: Path) -> None:
    save_picture(folder / "images/a.png")
    save_picture(folder / "masks/a.png", ids(0, 1))


def _save_roboflow(folder: Path) -> None:
    save_picture(folder / "train/a.jpg")
    save_picture(folder / "train/a_mask.png", ids(0, 1))


def _archives() -> list[bytes]:
    import tarfile

    found = []
    for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for index in range(2):
                for kind, pixels in (("images", PHOTO), ("masks", ids(0, 1))):
                    # Not by its name, which would take the time of day along.
                    about = zipfile.ZipInfo(f"{kind}/{index}.png")
                    archive.writestr(about, _encode(".png", pixels), packing)
        found.append(file.getvalue())
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for kind, pixels in (("images", PHOTO), ("masks", ids(0, 1))):
            data = _encode(".png", pixels)
            for index in range(2):
                about = tarfile.TarInfo(f"{kind}/{index}.png")
                about.size = len(data)
                tar.addfile(about, io.BytesIO(data))
    return [*found, file.getvalue()]


def _open_archive(folder: Path, name: str) -> None:
    opened = open_folder(folder / name)
    for dataset in opened.splits:
        for index in range(len(opened.dataset(dataset))):
            opened.dataset(dataset)[index]


def _data_yamls() -> list[Any]:
    plain = {"path": ".", "train": "images", "masks_dir": "masks", "names": {0: "road", 1: "car"}}
    return [
        plain,
        {**plain, "names": ["a", "b"], "colors": [[0, 0, 0], [1, 1, 1]], "ignore_index": [255]},
        {**plain, "label_mapping": {0: 0, 1: "ignore"}, "reduce_zero_label": False},
        {**plain, "names": ["a", "b", "c"], "merge": {"d": ["a", "b"]}, "drop": []},
        {"path": ".", "format": "coco", "options": {"unlabelled": "ignore"}},
    ]


def _read_data_yaml(folder: Path) -> None:
    found = read_data_yaml(folder / "data.yaml")
    if found.taxonomy is not None:
        found.relabel(found.taxonomy.classes)


def _bodies() -> list[bytes]:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + _encode(".png") + b"\r\n--x--\r\n"
    )
    sent = json.dumps({"image": base64.b64encode(_encode(".png")).decode()}).encode()
    return [form, sent]


def _read_body(folder: Path) -> None:
    from starlette.requests import Request

    from segnext.serve.bodies import read_picture

    data = (folder / "body").read_bytes()
    kind = "application/json" if data[:1] == b"{" else "multipart/form-data; boundary=x"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
    request = Request(scope, receive)
    sent = asyncio.run(read_picture(request, max_body=1 << 20, max_bytes=1 << 20))
    if isinstance(sent, bytes):
        _check_sent(sent)


def _check_sent(data: bytes) -> None:
    from segnext.serve.intake import check_picture, decode_checked

    header = check_picture(data, channels=3, max_pixels=1 << 24)
    decode_checked(data, header, 3)


def _refusal() -> tuple[type[Exception], ...]:
    from segnext.serve.refusals import RefusalError

    return (SegnextError, RefusalError)


_PNG_TOKENS = (b"IHDR", b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"IDAT", b"IEND", b"acTL", b"zTXt")
_JPEG_TOKENS = tuple(bytes((0xFF, mark)) for mark in (0xC0, 0xC2, 0xC4, 0xDA, 0xDB, 0xE1, 0xD9))


def _pictures() -> list[bytes]:
    return [_encode(".png"), _encode(".jpg"), _encode(".webp"), *_tiffs()]


TARGETS = (
    _picture(
        "png",
        lambda: [_encode(".png"), _encode(".png", ids(0, 1).astype(np.uint16)), _indexed()],
        mend=mend_png,
        tokens=_PNG_TOKENS,
    ),
    _picture(
        "jpg",
        lambda: [_encode(".jpg"), _exif(), _encode(".jpg", PHOTO, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)],
        tokens=_JPEG_TOKENS,
    ),
    _picture("tif", _tiffs, tokens=(b"II*\0", b"MM\0*", b"\x01\x01\x03\0", b"\0\0\0\0")),
    _picture("webp", lambda: [_encode(".webp"), _encode(".webp", PHOTO, 64, 101)]),
    _picture("bmp", lambda: [_encode(".bmp"), _encode(".bmp", ids(0, 1))]),
    Target(
        "classes.txt",
        "classes.txt",
        lambda folder: read_classes(folder / "classes.txt"),
        lambda: [b"road 128 64 128\ncar 0 0 142\nvoid 0 0 0\n", b"road\ncar\n"],
        tokens=NUMBERS,
    ),
    Target(
        "data.yaml",
        "data.yaml",
        _read_data_yaml,
        _data_yamls,
        encode_yaml,
        prepare=_save_pairs,
        tokens=YAML_TOKENS,
    ),
    _format("coco", "annotations/instances.json", _coco),
    _format("labelme", "images/a.json", _labelme),
    _format("label_studio", "project.json", _label_studio),
    _format("datumaro", "annotations/train.json", _datumaro),
    _format(
        "cvat",
        "annotations.xml",
        lambda: [_CVAT, _LAUGHS],
        encode=None,
        tokens=(*NUMBERS, b"<!DOCTYPE a>", b"&a;", b"<image>", b"</image>", b"<a>" * 20_000),
    ),
    _format(
        "cvat_masks",
        "labelmap.txt",
        lambda: [b"# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:1,2,3::\n"],
        encode=None,
        prepare=_save_masks,
        tokens=NUMBERS,
    ),
    _format(
        "datumaro_masks",
        "dataset_meta.json",
        lambda: [
            {"label_map": {"0": "a", "1": "b"}, "segmentation_colors": [[0, 0, 0], [1, 1, 1]]},
            {"labels": ["a", "b"]},
        ],
        prepare=_save_pairs,
    ),
    _format(
        "roboflow",
        "train/_classes.csv",
        lambda: [b"Pixel Value, Class\n0, background\n1, car\n"],
        encode=None,
        prepare=_save_roboflow,
        tokens=(*NUMBERS, b'"', b"\0"),
    ),
    _format(
        "yolo",
        "labels/a.txt",
        lambda: [b"0 0.1 0.1 0.9 0.1 0.9 0.9\n1 0.5 0.5 0.2 0.2\n"],
        encode=None,
        prepare=lambda folder: (
            save_picture(folder / "images/a.png"),
            (folder / "classes.txt").write_text("car\ndog\n"),
        ),
        tokens=NUMBERS,
    ),
    Target(
        "brush_rle",
        "strokes",
        lambda folder: decode_brush((folder / "strokes").read_bytes(), 20, 30),
        lambda: [encode_brush(ids(0, 1) > 0), encode_brush(np.ones((20, 30), np.bool_))],
    ),
    Target("zip", "d.zip", partial(_open_archive, name="d.zip"), lambda: _archives()[:2]),
    Target("tar", "d.tar", partial(_open_archive, name="d.tar"), lambda: _archives()[2:]),
    Target("serve body", "body", _read_body, _bodies, accepted=_refusal()),
    Target(
        "serve picture",
        "picture",
        lambda folder: _check_sent((folder / "picture").read_bytes()),
        _pictures,
        accepted=_refusal(),
    ),
)
