import hashlib
import io
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError
from segnext.models import MODELS, SegNeXt, create_model
from segnext.spec import Protocol
from segnext.weights import (
    WEIGHTS,
    find_pretrained,
    find_weights,
    list_weights,
    load_model,
    published,
    read_spec,
    save_model,
)
from segnext.weights.names import translate_name
from website import Website, serve

NAMES = ("wall", "sky", "tree")


@pytest.fixture(scope="module")
def tiny() -> SegNeXt:
    torch.manual_seed(0)
    return create_model("segnext_tiny", num_classes=3).eval()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Website]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SEGNEXT_OFFLINE", raising=False)
    with serve(b"") as site:
        yield site


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def published_as(
    site: Website, monkeypatch: pytest.MonkeyPatch, name: str, checkpoint: dict[str, Any]
) -> None:
    """Put a checkpoint on the server, and the entry of `name` onto that file."""
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    site.content = buffer.getvalue()
    sha256 = hashlib.sha256(site.content).hexdigest()[:8]
    entry = replace(WEIGHTS[name], url=f"{site.url}/raw-{sha256}.pth", sha256_prefix=sha256)
    monkeypatch.setitem(WEIGHTS, name, entry)


def their_names(model: SegNeXt, *, decoder: bool = True) -> dict[str, torch.Tensor]:
    """A state dict as MMSegmentation writes it, for the names that tell it from ours."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("decoder."):
            if not decoder or name.endswith("initial_bases"):
                continue
            name = name.replace("decoder.classifier", "decode_head.conv_seg")
        else:
            name = name.replace("encoder.stages.0.norm", "backbone.norm1")
        assert translate_name(name) is not None
        tensors[name] = tensor
    return tensors


def test_table() -> None:
    assert list_weights() == list(WEIGHTS)
    assert [name for name in WEIGHTS if name.startswith("mscan_")] == [
        model.replace("segnext", "mscan") for model in MODELS
    ]
    for name, weights in WEIGHTS.items():
        assert weights.name == name
        assert weights.model in MODELS
        assert weights.kind == ("encoder" if name.startswith("mscan_") else "model")
        if weights.url is not None:
            assert re.fullmatch(
                r"https://download\.openmmlab\.com/\S+-[0-9a-f]{8}\.pth", weights.url
            )
            assert weights.url.endswith(f"-{weights.sha256_prefix}.pth")
    assert WEIGHTS["segnext_base_ade20k"].url == (
        "https://download.openmmlab.com/mmsegmentation/v0.5/segnext/"
        "segnext_mscan-b_1x16_512x512_adamw_160k_ade20k/"
        "segnext_mscan-b_1x16_512x512_adamw_160k_ade20k_20230209_172053-b6f6c70c.pth"
    )
    assert WEIGHTS["mscan_large"].url == (
        "https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segnext/"
        "mscan_l_20230227-cef260d4.pth"
    )


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({"dataset_meta": {"classes": NAMES}}, NAMES),
        ({"CLASSES": NAMES}, NAMES),
        ({"dataset_meta": {"classes": ("too", "few")}}, ("class_0", "class_1", "class_2")),
        (None, ("class_0", "class_1", "class_2")),
    ],
)
def test_published_model_is_converted_once_and_loaded_by_name(
    site: Website,
    tiny: SegNeXt,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    meta: dict[str, Any] | None,
    names: tuple[str, ...],
) -> None:
    checkpoint = {"meta": meta, "state_dict": their_names(tiny)}
    published_as(site, monkeypatch, "segnext_tiny_ade20k", checkpoint)
    with caplog.at_level(logging.WARNING, logger="segnext"):
        model = load_model("segnext_tiny_ade20k")
    assert "non-commercial" in caplog.text
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(model(images), tiny(images))
    assert model.spec is not None
    assert model.spec.classes == Classes(names)
    assert model.spec.protocol == Protocol(short_side=512, resize_to_multiple=32)
    assert model.spec.license == WEIGHTS["segnext_tiny_ade20k"].license
    assert [path.name for path in cache.iterdir()] == ["segnext_tiny_ade20k.safetensors"]
    assert find_weights("segnext_tiny_ade20k") == cache / "segnext_tiny_ade20k.safetensors"
    assert len(site.requests) == 1


def test_published_encoder(
    site: Website, tiny: SegNeXt, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = {"state_dict": their_names(tiny, decoder=False), "head.weight": torch.zeros(2)}
    published_as(site, monkeypatch, "mscan_tiny", encoder)
    assert find_pretrained("segnext_tiny") == cache / "mscan_tiny.safetensors"
    assert read_spec(cache / "mscan_tiny.safetensors").encoder_only
    with pytest.raises(WeightsError, match=r"encoder only.*segnext train DIR --init"):
        load_model("mscan_tiny")


def test_no_encoder_for_other_models() -> None:
    with pytest.raises(WeightsError, match="no encoder is published for 'custom'"):
        find_pretrained("custom")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mscan_tiny", "holds no encoder of segnext_tiny"),
        ("segnext_base_ade20k", "holds no model of segnext_base"),
    ],
)
def test_published_file_that_is_another(
    site: Website, tiny: SegNeXt, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str,
    message: str,
) -> None:  # fmt: skip
    published_as(site, monkeypatch, name, {"state_dict": their_names(tiny)})
    with pytest.raises(WeightsError, match=rf"raw-.*\.pth: {message}"):
        find_weights(name)
    assert list(cache.iterdir()) == []


def test_failed_download_leaves_nothing_and_names_the_url(
    site: Website, tiny: SegNeXt, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published_as(site, monkeypatch, "mscan_tiny", {})
    site.status = 404
    with pytest.raises(WeightsError, match=r"raw-\w+\.pth: the server answers 404"):
        find_pretrained("segnext_tiny")
    assert list(cache.iterdir()) == []


def test_another_process_may_convert_first(
    site: Website, tiny: SegNeXt, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published_as(site, monkeypatch, "segnext_tiny_ade20k", {"state_dict": their_names(tiny)})

    def beaten(_url: str, raw: Path, *, sha256: str) -> None:
        save_model(tiny, cache / "segnext_tiny_ade20k.safetensors")
        assert not raw.exists()

    monkeypatch.setattr(published, "fetch", beaten)
    assert find_weights("segnext_tiny_ade20k") == cache / "segnext_tiny_ade20k.safetensors"


def test_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGNEXT_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"mscan_t_\S+\.pth: not downloaded, SEGNEXT_OFFLINE=1"):
        find_weights("mscan_tiny")


def test_our_own_file_lies_in_a_clone(
    smallest_model: SegNeXt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "CLONE_FOLDER", tmp_path / "weights")
    with pytest.raises(WeightsError, match=r"does not hold this file; clone the repository"):
        load_model("segnext_tiny_camvid")
    path = save_model(smallest_model, tmp_path / "weights" / "segnext_tiny_camvid.safetensors")
    assert find_weights("segnext_tiny_camvid") == path


def test_clone_folder_is_at_the_root_of_the_repository() -> None:
    root = published.CLONE_FOLDER.parent
    assert (root / "tests" / "weights" / Path(__file__).name).samefile(__file__)


@pytest.mark.parametrize("path", ["run/best.safetensors", "gone.safetensors", "model.pth", "a/b"])
def test_paths_are_left_alone(path: str) -> None:
    assert find_weights(path) == Path(path)
    assert find_weights(Path(path)) == Path(path)


def test_files_go_before_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mscan_tiny").touch()
    assert find_weights("mscan_tiny") == Path("mscan_tiny")


def test_unknown_names() -> None:
    with pytest.raises(
        WeightsError, match=r"unknown weights 'mscan_tinny': did you mean mscan_tin"
    ):
        find_weights("mscan_tinny")


def test_url_with_hash(site: Website, smallest_model: SegNeXt, cache: Path, tmp_path: Path) -> None:
    site.content = save_model(smallest_model, tmp_path / "a.safetensors").read_bytes()
    sha256 = hashlib.sha256(site.content).hexdigest()
    url = f"{site.url}/a.safetensors?download=1#sha256={sha256}"
    assert load_model(url).config == smallest_model.config
    assert find_weights(url) == cache / f"{sha256[:16]}-a.safetensors"
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://a.org/m.safetensors", r"add it as https://a\.org/m\.safetensors#sha256=<64 hex"),
        ("https://a.org/m.safetensors#sha256=0123abcd", "needs the hash"),
        ("https://a.org/m.pth#sha256=" + "0" * 64, r"only \.safetensors files.*import-weights"),
        ("http://a.org/m.safetensors#sha256=" + "0" * 64, "only https://"),
    ],
)
def test_urls_that_are_refused(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_weights(url)


def test_the_camvid_model_of_a_clone_loads_and_says_its_terms(
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = published.CLONE_FOLDER / "segnext_tiny_camvid.safetensors"
    if not path.is_file():
        pytest.skip("weights/ is not part of this copy of the source")
    assert path.stat().st_size < 9_000_000
    spec = load_model("segnext_tiny_camvid").spec
    assert spec is not None
    assert spec.classes.names[0] == "sky"
    assert spec.classes.num_classes == 11
    assert spec.license == published.WEIGHTS["segnext_tiny_camvid"].license
    assert "research only" in caplog.text
