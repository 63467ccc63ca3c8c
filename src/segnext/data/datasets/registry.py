"""Every known data set by name."""

from segnext.data.datasets.ade20k import ADE20K
from segnext.data.datasets.camvid import CAMVID, CAMVID_32
from segnext.data.datasets.cityscapes import CITYSCAPES, CITYSCAPES_COARSE
from segnext.data.datasets.coco_stuff10k import COCO_STUFF_10K
from segnext.data.datasets.coco_stuff164k import COCO_STUFF_164K
from segnext.data.datasets.isaid import ISAID
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.loveda import LOVEDA
from segnext.data.datasets.pascal_context import PASCAL_CONTEXT, PASCAL_CONTEXT_59
from segnext.data.datasets.pascal_voc import PASCAL_VOC
from segnext.data.datasets.potsdam import POTSDAM
from segnext.data.datasets.vaihingen import VAIHINGEN

_DATASETS: tuple[KnownDataset, ...] = (
    ADE20K,
    CITYSCAPES,
    CITYSCAPES_COARSE,
    COCO_STUFF_164K,
    COCO_STUFF_10K,
    PASCAL_VOC,
    PASCAL_CONTEXT,
    PASCAL_CONTEXT_59,
    ISAID,
    LOVEDA,
    POTSDAM,
    VAIHINGEN,
    CAMVID,
    CAMVID_32,
)

DATASETS: dict[str, KnownDataset] = {entry.name: entry for entry in _DATASETS}


def list_datasets() -> list[str]:
    """Return the names that `segnext data prepare` and `--format` take for published data sets."""
    return list(DATASETS)
