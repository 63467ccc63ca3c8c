from pathlib import Path

import yaml

from segnext.classes import Classes
from segnext.predict.writers.data_yaml import write_data_yaml


def test_what_no_shape_covers(tmp_path: Path) -> None:
    for names, unlabelled in ((("sky", "road"), "ignore"), (("sky", "Background"), "background")):
        write_data_yaml(tmp_path, Classes(names), {"format": "coco", "options": {"images": "x"}})
        assert yaml.safe_load((tmp_path / "data.yaml").read_text()) == {
            "path": ".",
            "format": "coco",
            "options": {"unlabelled": unlabelled, "images": "x"},
        }
