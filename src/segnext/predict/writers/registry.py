"""The annotation formats that `segnext predict --save` writes, by name."""

from collections.abc import Collection, Mapping

from segnext.errors import UsageError, describe_unknown
from segnext.predict.prediction import PICTURES
from segnext.predict.writers.coco import POLYGONS, RUNS
from segnext.predict.writers.cvat import CVAT
from segnext.predict.writers.label_studio import LABEL_STUDIO
from segnext.predict.writers.labelme import LABELME
from segnext.predict.writers.writer import Writer
from segnext.predict.writers.yolo import YOLO

WRITERS: Mapping[str, Writer] = {
    "coco": POLYGONS,
    "coco-rle": RUNS,
    "labelme": LABELME,
    "cvat": CVAT,
    "label-studio": LABEL_STUDIO,
    "yolo": YOLO,
}

OUTPUTS = (*PICTURES, "areas", *WRITERS)
"""Everything that can be written of predictions."""


def check_outputs(names: Collection[str]) -> None:
    """Refuse what is no output.

    Raises:
        UsageError: A name is none of `OUTPUTS`.
    """
    for name in names:
        if name not in OUTPUTS:
            raise UsageError(describe_unknown("output", name, OUTPUTS))


def list_places(names: Collection[str]) -> list[str]:
    """Return what outputs write below the output folder, with what is always written."""
    wanted = {"labels", *names}
    places = [place for name, place in PICTURES.items() if name in wanted]
    places += [writer.folder for name, writer in WRITERS.items() if name in wanted]
    return [*places, "areas.json", *(["areas.csv"] if "areas" in wanted else [])]
