"""What the test servers and benchmarks of known data sets want to be sent.

docs/submissions.md has the same as a table, with what is published where.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segnext.errors import UsageError, describe_unknown

Archive = Literal["zip", "tar"]
Encoding = Literal["grey", "indexed", "color"]


@dataclass(frozen=True)
class Server:
    """What a test server, or the custom of a benchmark without one, wants to be sent.

    Attributes:
        dataset: Name of the known data set.
        site: Where to send it.
        archive: Kind of the one file that holds everything; also its suffix.
        member: Path of a mask in it; `{name}` is that of the picture, others are `options`.
        picture: Regular expression of the names of pictures.
        encoding: How a file holds submission ids: `grey` PNG of 8 bit, `indexed` PNG with VOC's
            colours, or `color`, an RGB TIFF in the colours of the classes.
        split: That is scored, by its name here.
        size: Width and height of every picture in pixels; `None` where they differ.
        options: Choices by name, the usual one first.
        found_by: Regular expression of paths in the archive whose one group is the picture's name;
            `None` where only `member` will do.
    """

    dataset: str
    site: str
    archive: Archive
    member: str
    picture: str
    encoding: Encoding = "grey"
    split: str = "test"
    size: tuple[int, int] | None = None
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    found_by: str | None = None

    def choose(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the options with the usual choices.

        Raises:
            UsageError: An option is unknown, or is none of its choices.
        """
        for name in options:
            if name not in self.options:
                if not self.options:
                    msg = f"submissions of {self.dataset} have no options, so {name!r} is none"
                    raise UsageError(msg)
                kind = f"option of a submission of {self.dataset}"
                raise UsageError(describe_unknown(kind, name, self.options))
        chosen = {name: choices[0] for name, choices in self.options.items()}
        for name, value in options.items():
            if type(value) is not type(chosen[name]) or value not in self.options[name]:
                valid = " or ".join(str(choice) for choice in sorted(self.options[name]))
                msg = f"{name}={value!r}: should be {valid}"
                raise UsageError(msg)
            chosen[name] = value
        return chosen

    def place(self, name: str, options: Mapping[str, Any]) -> str:
        """Return the path of a picture's mask in the archive."""
        return self.member.format(name=name, **options)

    def find_name(self, place: str, options: Mapping[str, Any]) -> str | None:
        """Return the name of the picture that a path in an archive is of; `None` if of none."""
        before, after = self.member.format(name="\0", **options).split("\0")
        exact = rf"{re.escape(before)}({self.picture}){re.escape(after)}"
        match = re.fullmatch(self.found_by or exact, place)
        return match[1] if match else None


_ISPRS_SITE = "https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab/"
_FRAME = r"[^/]+_\d{6}_\d{6}"

_SERVERS = (
    Server(
        dataset="ade20k",
        site="http://sceneparsing.csail.mit.edu",
        archive="zip",
        member="{name}.png",
        picture=r"ADE_(?:train|val|test)_\d{8}",
    ),
    Server(
        dataset="cityscapes",
        site="https://www.cityscapes-dataset.com/submit/",
        archive="zip",
        member="{name}_labelIds.png",
        picture=_FRAME,
        size=(2048, 1024),
        # The publisher's script looks in all folders, for anything that starts as the picture.
        found_by=rf"(?:[^/]+/)*({_FRAME})[^/]*\.png",
    ),
    Server(
        dataset="pascal_voc",
        site="http://host.robots.ox.ac.uk:8080/",
        archive="tar",
        member="results/VOC2012/Segmentation/comp{comp}_test_cls/{name}.png",
        picture=r"\d{4}_\d{6}",
        encoding="indexed",
        # 6: any training data, pretrained weights among them; 5: pictures of VOC only.
        options={"comp": (6, 5)},
    ),
    Server(
        dataset="loveda",
        site="https://www.codabench.org/competitions/13030/",
        archive="zip",
        member="{name}.png",
        picture=r"\d+",
        size=(1024, 1024),
    ),
    # The labels of these two were published in the end, so their test tiles are val here.
    Server(
        dataset="potsdam",
        site=_ISPRS_SITE,
        archive="zip",
        member="top_potsdam_{name}_label.tif",
        picture=r"\d{1,2}_\d{1,2}",
        encoding="color",
        split="val",
    ),
    Server(
        dataset="vaihingen",
        site=_ISPRS_SITE,
        archive="zip",
        member="top_mosaic_09cm_{name}.tif",
        picture=r"area\d{1,2}",
        encoding="color",
        split="val",
    ),
)

SERVERS: dict[str, Server] = {server.dataset: server for server in _SERVERS}


def find_server(name: str) -> Server:
    """Return what the server of a data set wants.

    Raises:
        UsageError: None is known; names those that are.
    """
    if name not in SERVERS:
        raise UsageError(describe_unknown("data set with a test server", name, SERVERS))
    return SERVERS[name]
