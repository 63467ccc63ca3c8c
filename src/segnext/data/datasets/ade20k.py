"""ADE20K, as the scene parsing benchmark SceneParse150 publishes it: photos of 150 classes.

    ADEChallengeData2016            or what is in it
        images
            training/ADE_train_00000001.jpg
            validation/ADE_val_00000001.jpg
        annotations
            training/ADE_train_00000001.png     grey: 0 other (ignored), 1 wall to 150 flag
            validation/ADE_val_00000001.png
    release_test/testing/ADE_test_00000001.jpg  if wanted; no masks

20,210 pictures to train, 2,000 to validate, 3,352 to test. The test server wants ids 1 to 150, as
in the masks. The full ADE20K with its 3,000 names is another download and not read. Colours are
those of the benchmark's color150.mat.

Terms: https://groups.csail.mit.edu/vision/datasets/ADE20K/terms/ (research and education; pictures
of others). Get ADEChallengeData2016.zip from http://sceneparsing.csail.mit.edu; it is read unpacked
or as it is.
"""

from pathlib import Path

from segnext.data.containers.paths import is_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.datasets.listed_pictures import find_first, wrong_root
from segnext.data.datasets.named_files import has_name, pair_by_name
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import keep_labelled
from segnext.data.taxonomy import Taxonomy

CLASSES = read_label_map("ade20k")

_NAME = "ADEChallengeData2016"
_FOLDERS = {"train": "training", "val": "validation"}
_TEST_FOLDERS = ("images/testing", "images/test", "release_test/testing")


def detect(root: Path) -> bool:
    """Tell whether a folder holds ADE20K's masks; their names are its own."""
    base = _base(root)
    return any(
        has_name(base / "annotations" / folder, r"ADE_(train|val)_\d{8}\.png")
        for folder in _FOLDERS.values()
    )


def read(root: Path) -> Layout:
    """Find pictures and masks.

    Args:
        root: Folder or archive, which is ADEChallengeData2016 or holds it.

    Raises:
        DataError: Folders are missing or empty, or nothing pairs.
    """
    base = _base(root)
    layout = Layout("images/training + annotations/training, and so on")
    layout.masks = FileMasks("ids", Taxonomy(CLASSES, has_colors=True))
    for split, folder in _FOLDERS.items():
        photos = base / "images" / folder
        if is_folder(photos):
            labels = base / "annotations" / folder
            items = pair_by_name(photos, labels, str, "", layout.notes)
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not any(item.mask_path for part in layout.splits.values() for item in part):
        wanted = "images/training with annotations/training, alone or in ADEChallengeData2016"
        raise wrong_root(root, wanted, ADE20K.obtain)
    test = find_first(place / name for place in (base, root) for name in _TEST_FOLDERS)
    if test:
        items = pair_by_name(test, test / "none", str, "", layout.notes)
        layout.splits["test"] = keep_labelled(items, "test", layout.notes)
    return layout


def _base(root: Path) -> Path:
    return root / _NAME if is_folder(root / _NAME) else root


ADE20K = KnownDataset(
    name="ade20k",
    title="ADE20K",
    classes=CLASSES,
    counts={"train": 20_210, "val": 2_000, "test": (3_352, 2_000)},
    license="research and education, https://groups.csail.mit.edu/vision/datasets/ADE20K/terms/",
    obtain="ADEChallengeData2016.zip from http://sceneparsing.csail.mit.edu",
    detect=detect,
    read=read,
    zero="void",
)
