"""The formats that `open_folder` understands besides plain folders, in the order of detection."""

from segnext.data.formats.coco import FORMAT as COCO
from segnext.data.formats.cvat_masks import FORMAT as CVAT_MASKS
from segnext.data.formats.cvat_xml import FORMAT as CVAT
from segnext.data.formats.datumaro import FORMAT as DATUMARO
from segnext.data.formats.datumaro_masks import FORMAT as DATUMARO_MASKS
from segnext.data.formats.format import Format as Format
from segnext.data.formats.hugging_face import FORMAT as HUGGING_FACE
from segnext.data.formats.label_studio import FORMAT as LABEL_STUDIO
from segnext.data.formats.labelme import FORMAT as LABELME
from segnext.data.formats.maps import FORMAT as MAPS
from segnext.data.formats.roboflow import FORMAT as ROBOFLOW
from segnext.data.formats.webdataset import FORMAT as WEBDATASET
from segnext.data.formats.yolo import FORMAT as YOLO

_FORMATS: tuple[Format, ...] = (
    COCO,
    LABELME,
    YOLO,
    CVAT,
    CVAT_MASKS,
    LABEL_STUDIO,
    DATUMARO,
    DATUMARO_MASKS,
    ROBOFLOW,
    HUGGING_FACE,
    WEBDATASET,
    MAPS,
)

FORMATS: dict[str, Format] = {entry.name: entry for entry in _FORMATS}
