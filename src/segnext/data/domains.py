"""What training may do to the pictures of a field without changing what they show.

A flip is right where the mirrored picture could have been taken too. Where the camera has an up,
it is a mirror at most; where it looks straight down, every turn is as likely as any other.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Domain:
    """The augmentation that suits a field; options as in `Augmentation`.

    Attributes:
        name: Key in `DOMAINS`.
        description: Which pictures are meant.
        flip: Probability of mirroring left and right.
        flip_vertical: Probability of mirroring top and bottom.
        rotate90: Turn by a random multiple of 90 degrees.
        photometric: Distort brightness, contrast, saturation and hue.
        hue: Let that distortion change hues.
        scale_range: Random factors on the base size; `None` has no opinion.
        because: The reason, for reports.
    """

    name: str
    description: str
    flip: float
    flip_vertical: float
    rotate90: bool
    photometric: bool
    hue: bool
    scale_range: tuple[float, float] | None
    because: str


DOMAINS: dict[str, Domain] = {
    domain.name: domain
    for domain in (
        Domain(
            name="street",
            description="scenes from a vehicle or a pedestrian's height",
            flip=0.5,
            flip_vertical=0.0,
            rotate90=False,
            photometric=True,
            hue=True,
            scale_range=None,
            because="the sky is up, and a mirrored street is a street",
        ),
        Domain(
            name="object",
            description="general photos of things, people and places",
            flip=0.5,
            flip_vertical=0.0,
            rotate90=False,
            photometric=True,
            hue=True,
            scale_range=None,
            because="photos are taken upright, and most things have mirrored twins",
        ),
        Domain(
            name="overhead",
            description="aerial and satellite images that look straight down",
            flip=0.5,
            flip_vertical=0.5,
            rotate90=True,
            photometric=True,
            hue=True,
            scale_range=None,
            because="from above no direction is up",
        ),
        Domain(
            name="microscopy",
            description="slides, cells, tissue and material sections",
            flip=0.5,
            flip_vertical=0.5,
            rotate90=True,
            photometric=True,
            hue=True,
            scale_range=None,
            because="a slide can lie any way round under the lens",
        ),
        Domain(
            name="document",
            description="scanned or photographed pages, forms, plans and maps",
            flip=0.0,
            flip_vertical=0.0,
            rotate90=False,
            photometric=True,
            hue=False,
            scale_range=(0.75, 1.5),
            because="script has one reading direction, ink has its colour and letters one size",
        ),
    )
}

_SIDES = {
    "left": "left/right",
    "right": "left/right",
    "l": "l/r",
    "r": "l/r",
    "port": "port/starboard",
    "starboard": "port/starboard",
}
# Words end at what is no letter, and inside camelCase: `armL`, `leftArm`, `LArm`.
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")


def find_sided_classes(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of classes that a mirrored picture would confuse.

    Such names differ in nothing but the side: `left` and `right`, `l` and `r`, `port` and
    `starboard`, as words of their own and in any case. With them no mirroring is right; turns by
    90 degrees are.

    Args:
        names: Of all classes.

    Returns:
        The pairs, in the order of the names.
    """
    words = {name: _words(name) for name in names}
    sideless = {name: [_SIDES.get(word, word) for word in words[name]] for name in words}
    return [
        (one, other)
        for one, other in combinations(words, 2)
        if sideless[one] == sideless[other] and words[one] != words[other]
    ]


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name))]
