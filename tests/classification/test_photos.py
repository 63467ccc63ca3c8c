from pathlib import Path

import numpy as np
import pytest
import torch

from class_photos import write_color_photos
from pictures import save_picture
from segnext.classification.augmentation import CropRule, EvaluationView, PhotoAugmentation
from segnext.classification.photos import PhotoStream, ViewedPhotos, read_photo
from segnext.data.datasets.class_folders import read_class_folders
from segnext.data.datasets.imagenet import ImageSplit
from segnext.data.loader import build_train_loader
from segnext.spec import IMAGENET_NORMALIZATION


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> ImageSplit:
    root = write_color_photos(tmp_path_factory.mktemp("photos"), train=4, val=1)
    return read_class_folders(root).splits["train"]


def build_stream(train: ImageSplit, **options: int) -> PhotoStream:
    augmentation = PhotoAugmentation(CropRule(size=16))
    defaults = {"seed": 0, "batch_size": 4, "length": 48}
    return PhotoStream(train, augmentation, **{**defaults, **options})


def test_grey_and_deep_photos_become_rgb_of_8_bit(tmp_path: Path) -> None:
    grey = save_picture(tmp_path / "grey.png", np.full((4, 5), 77, np.uint8))
    assert read_photo(grey).tolist() == np.full((4, 5, 3), 77).tolist()
    deep = save_picture(tmp_path / "deep.png", np.full((4, 5), 77 * 256 + 3, np.uint16))
    assert read_photo(deep).dtype == np.uint8
    assert (read_photo(deep) == 77).all()


def test_an_epoch_shows_every_photo_once(train: ImageSplit) -> None:
    stream = build_stream(train)
    epochs = [[stream.index_of(number) for number in range(e * 12, e * 12 + 12)] for e in (0, 1)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(12))] * 2
    assert epochs[0] != epochs[1]


def test_samples_do_not_depend_on_workers_or_start(train: ImageSplit) -> None:
    stream = build_stream(train)
    whole = list(build_train_loader(stream, batch_size=4))
    assert len(whole) == 12
    late = list(build_train_loader(stream, batch_size=4, start_step=9, num_workers=2))
    for (images, labels), (ours, theirs) in zip(whole[9:], late, strict=True):
        assert torch.equal(images, ours)
        assert torch.equal(labels, theirs)
    images, labels = whole[0]
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.dtype == torch.int64
    assert labels.tolist() == [int(train.labels[stream.index_of(number)]) for number in range(4)]
    part = next(iter(build_train_loader(stream, batch_size=4, share=range(2, 4))))
    assert torch.equal(part[0], images[2:])


def test_repeats_are_other_views_and_never_partners(train: ImageSplit) -> None:
    stream = build_stream(train, batch_size=6, repeats=3)
    for step in range(8):
        shown = [stream.index_of(step * 6 + place) for place in range(6)]
        assert len(set(shown)) == 2
        assert all(shown.count(index) == 3 for index in shown)
        assert all(one != other for one, other in zip(shown[::2], shown[1::2], strict=True))
    same = [number for number in range(6) if stream.index_of(number) == stream.index_of(0)]
    assert not torch.equal(stream[same[0]][0], stream[same[1]][0])
    seen = [stream.index_of(number) for number in range(36)]
    assert sorted(set(seen)) == list(range(12))


def test_viewed_photos_are_a_share_in_order(train: ImageSplit) -> None:
    view = EvaluationView(32, None)
    viewed = ViewedPhotos(train, view, IMAGENET_NORMALIZATION, range(4, 12))
    assert len(viewed) == 8
    image, label = viewed[0]
    assert image.shape == (3, 32, 32)
    assert label == 1
    assert len(ViewedPhotos(train, view, IMAGENET_NORMALIZATION)) == 12
