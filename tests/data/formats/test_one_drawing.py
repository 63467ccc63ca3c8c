"""The same drawing, in every format of polygons, covers the same pixels."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pictures import save_picture
from segnext.data.folder import open_folder

Ring = list[tuple[float, float]]

# No power of two and not square: shares and percents of it are never exact.
HEIGHT, WIDTH = 71, 107
LABELS = ("crop", "track", "weed")
SPLITS = ("train", "val")

# From large to small, so that COCO and YOLO, which sort, paint in the same order as the others.
# Edges run through the centres of pixels, where the slightest error would decide about a pixel.
DRAWING: list[tuple[str, Ring]] = [
    # Two triangles that share a diagonal through the centres of pixels.
    ("track", [(0, 0), (70, 70), (0, 70)]),
    ("crop", [(0, 0), (70, 0), (70, 70)]),
    # The star crosses itself: its middle is outside.
    ("weed", [(30, 2), (44.25, 50.75), (4.5, 20.5), (55.5, 20.5), (15.75, 50.75)]),
    # It reaches beyond the picture.
    ("weed", [(71, 52), (130.5, 52), (130.5, 80), (71, 80)]),
    ("track", [(72.5, 3.5), (103.5, 3.5), (103.5, 23.5), (72.5, 23.5)]),
    ("weed", [(75, 30), (95, 35), (90, 50), (78, 47)]),
    ("crop", [(80.5, 8.5), (91.5, 8.5), (86, 19.5)]),
    ("crop", [(3.21, 60.07), (12.99, 61.33), (8.5, 68.5)]),
]


def _annotated(root: Path) -> None:
    for split in SPLITS:
        save_picture(
            root / "images" / split / f"{split}.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        )


def _flat(ring: Ring) -> list[float]:
    return [value for point in ring for value in point]


def write_coco(root: Path) -> None:
    _annotated(root)
    for split in SPLITS:
        content = {
            "images": [{"id": 1, "file_name": f"{split}.png", "height": HEIGHT, "width": WIDTH}],
            "categories": [{"id": 5 * i, "name": name} for i, name in enumerate(LABELS, 1)],
            "annotations": [
                {
                    "id": number,
                    "image_id": 1,
                    "category_id": 5 * (1 + LABELS.index(label)),
                    "segmentation": [_flat(ring)],
                    "iscrowd": 0,
                }
                for number, (label, ring) in enumerate(DRAWING)
            ],
        }
        path = root / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def write_labelme(root: Path) -> None:
    for split in SPLITS:
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        path = save_picture(root / split / f"{split}.png", picture)
        content = {
            "version": "5.4.1",
            "shapes": [
                {"label": label, "points": ring, "shape_type": "polygon"} for label, ring in DRAWING
            ],
            "imagePath": path.name,
            "imageData": None,
            "imageHeight": HEIGHT,
            "imageWidth": WIDTH,
        }
        path.with_suffix(".json").write_text(json.dumps(content))


def write_cvat(root: Path) -> None:
    _annotated(root)
    labels = "".join(f"<label><name>{name}</name><type>any</type></label>" for name in LABELS)
    shapes = ""
    for label, ring in DRAWING:
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring)
        shapes += f'<polygon label="{label}" points="{points}" z_order="0"/>'
    images = "".join(
        f'<image name="{split}.png" subset="{split}" width="{WIDTH}" height="{HEIGHT}">{shapes}'
        f"</image>"
        for split in SPLITS
    )
    (root / "annotations.xml").write_text(
        f"<annotations><meta><task><labels>{labels}</labels></task></meta>{images}</annotations>"
    )


def write_label_studio(root: Path) -> None:
    _annotated(root)
    for split in SPLITS:
        result = [
            {
                "type": "polygonlabels",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "image_rotation": 0,
                "value": {
                    "points": [[x / WIDTH * 100, y / HEIGHT * 100] for x, y in ring],
                    "polygonlabels": [label],
                },
            }
            for label, ring in DRAWING
        ]
        task = {
            "id": 1,
            "annotations": [{"id": 1, "was_cancelled": False, "result": result}],
            "predictions": [],
            "data": {"image": f"/data/upload/1/ab12cd34-{split}.png"},
        }
        (root / f"{split}.json").write_text(json.dumps([task]))


def write_yolo(root: Path) -> None:
    _annotated(root)
    for split in SPLITS:
        path = root / "labels" / split / f"{split}.txt"
        path.parent.mkdir(parents=True)
        lines = []
        for label, ring in DRAWING:
            # Six digits, as CVAT and Ultralytics write them.
            shares = " ".join(f"{x / WIDTH:.6f} {y / HEIGHT:.6f}" for x, y in ring)
            lines.append(f"{LABELS.index(label)} {shares}\n")
        path.write_text("".join(lines))
    names = "".join(f"  {number}: {name}\n" for number, name in enumerate(LABELS))
    (root / "data.yaml").write_text(
        f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}"
    )


def write_datumaro(root: Path) -> None:
    _annotated(root)
    (root / "annotations").mkdir()
    for split in SPLITS:
        annotations = [
            {
                "id": number,
                "type": "polygon",
                "label_id": LABELS.index(label),
                "points": _flat(ring),
                "z_order": 0,
            }
            for number, (label, ring) in enumerate(DRAWING)
        ]
        media = {"path": f"{split}.png", "size": [HEIGHT, WIDTH]}
        content = {
            "info": {},
            "categories": {"label": {"labels": [{"name": name} for name in LABELS]}},
            "items": [{"id": split, "annotations": annotations, "image": media}],
        }
        (root / "annotations" / f"{split}.json").write_text(json.dumps(content))


WRITERS: dict[str, Callable[[Path], None]] = {
    "coco": write_coco,
    "cvat": write_cvat,
    "datumaro": write_datumaro,
    "label_studio": write_label_studio,
    "labelme": write_labelme,
    "yolo": write_yolo,
}


def expect() -> npt.NDArray[np.uint8]:
    """Paint the drawing by the rule of docs/formats.md, pixel by pixel, in exact fractions."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, ring in DRAWING:
        points = [(Fraction(str(x)), Fraction(str(y))) for x, y in ring]
        edges = [(start, end) for start, end in zip(points, [*points[1:], points[0]], strict=True)]
        for row in range(HEIGHT):
            y = row + Fraction(1, 2)
            # A centre on an edge belongs to what is right of the edge, or below it.
            crossings = [
                x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                for (x0, y0), (x1, y1) in edges
                if (y0 <= y) != (y1 <= y)
            ]
            for column in range(WIDTH):
                if sum(x <= column + Fraction(1, 2) for x in crossings) % 2:
                    mask[row, column] = 1 + LABELS.index(label)
    return mask


@pytest.fixture(scope="module")
def expected() -> npt.NDArray[np.uint8]:
    return expect()


@pytest.mark.parametrize("format", WRITERS)
def test_one_drawing_covers_the_same_pixels_in_every_format(
    tmp_path: Path, format: str, expected: npt.NDArray[np.uint8]
) -> None:
    WRITERS[format](tmp_path)
    folder = open_folder(tmp_path)
    assert folder.format == format
    assert folder.classes.names == ("background", *LABELS)
    assert list(folder.splits) == list(SPLITS)
    for part in folder.splits.values():
        mask = part[0]["mask"]
        wrong = np.argwhere(mask != expected)
        assert not len(wrong), f"{len(wrong)} pixels differ, such as {wrong[:3].tolist()}"
