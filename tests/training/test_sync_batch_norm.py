"""Run as a script with a world size and a folder, this file is a group of processes."""

import copy
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn

from segnext.training.sync_batch_norm import SyncBatchNorm2d, synchronize_batch_norm

STEPS = 2
CASES = {
    "float64": (torch.float64, torch.contiguous_format),
    "float32": (torch.float32, torch.contiguous_format),
    "channels_last": (torch.float32, torch.channels_last),
}
TOLERANCE = {torch.float64: 1e-11, torch.float32: 2e-5}
# Samples of each process.
SPLITS = {2: [3, 1], 4: [1, 2, 1, 3]}


def build(dtype: torch.dtype) -> nn.Module:
    """Two normalisations, the second nested, with unequal weights and an unusual momentum."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.BatchNorm2d(4, eps=1e-3, momentum=0.3),
        nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6), nn.GELU()),
    )
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model.to(dtype)


def make_images(samples: int, dtype: torch.dtype, memory_format: torch.memory_format) -> Tensor:
    """Samples with means that are large against their deviations and differ between samples."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(samples, 4, 5, 6, generator=generator, dtype=torch.float64)
    images = images + 20 + torch.arange(samples)[:, None, None, None]
    return images.to(dtype).contiguous(memory_format=memory_format)


def train(model: nn.Module, images: Tensor, part: slice) -> dict[str, Tensor]:
    """Take steps on a part of the batch; the loss weighs every value differently."""
    model.train()
    for _ in range(STEPS):
        images = images.detach().requires_grad_()
        model.zero_grad()
        output = model(images)
        generator = torch.Generator().manual_seed(2)
        weights = torch.randn(16, *output.shape[1:], generator=generator, dtype=torch.float64)
        (output * weights[part].to(output)).sum().backward()
    assert images.grad is not None
    gradients = {f"gradient {name}": p.grad for name, p in model.named_parameters()}
    return {"output": output, "towards images": images.grad, **gradients, **model.state_dict()}


def run_process(rank: int, world_size: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size
    )
    split = SPLITS[world_size]
    part = slice(sum(split[:rank]), sum(split[: rank + 1]))
    found: dict[str, object] = {}
    for case, (dtype, memory_format) in CASES.items():
        model = synchronize_batch_norm(build(dtype))
        images = make_images(sum(split), dtype, memory_format)[part]
        found[case] = train(model, images.contiguous(memory_format=memory_format), part)
    norm = synchronize_batch_norm(nn.BatchNorm2d(4))
    images = make_images(sum(split), torch.float32, torch.channels_last)[part]
    half = images.bfloat16().requires_grad_()
    output = norm(half)
    output.sum().backward()
    assert half.grad is not None
    statistics = [norm.running_mean.clone(), norm.running_var.clone()]
    found["half"] = [*statistics, output.dtype, half.grad.dtype]
    found["formats"] = [
        norm(images.contiguous(memory_format=f)).is_contiguous(memory_format=f)
        for f in (torch.contiguous_format, torch.channels_last)
    ]
    found["evaluation"] = torch.equal(norm.eval()(images), nn.BatchNorm2d.forward(norm, images))
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()


def run_group(world_size: int, folder: Path) -> None:
    # Forked processes need not import torch again.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    processes = [
        context.Process(target=run_process, args=(rank, world_size, folder), daemon=True)
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    sys.exit(any(process.exitcode != 0 for process in processes))


Found = list[dict[str, dict[str, Tensor]]]


@pytest.fixture(scope="module", params=SPLITS)
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What each process of a group found."""
    world_size = request.param
    folder = tmp_path_factory.mktemp("group")
    # A fresh interpreter, since processes cannot fork from one that has used autograd.
    subprocess.run([sys.executable, __file__, str(world_size), str(folder)], check=True, timeout=90)
    return [torch.load(folder / f"{rank}.pt") for rank in range(world_size)]


@pytest.mark.parametrize("case", CASES)
def test_processes_equal_one_process_with_the_whole_batch(found: Found, case: str) -> None:
    dtype, memory_format = CASES[case]
    split = SPLITS[len(found)]
    images = make_images(sum(split), dtype, memory_format)
    expected = train(build(dtype), images, slice(sum(split)))
    ranks = [result[case] for result in found]
    assert all(rank.keys() == expected.keys() for rank in ranks)
    for name, value in expected.items():
        parts = [rank[name] for rank in ranks]
        if name in {"output", "towards images"}:
            assert [len(p) for p in parts] == split
            together = torch.cat(parts)
        elif name.startswith("gradient"):
            together = torch.stack(parts).sum(0)
        else:
            assert all(torch.equal(p, parts[0]) for p in parts)
            together = parts[0]
        scale = value.abs().max().item()
        torch.testing.assert_close(
            together, value, rtol=0, atol=TOLERANCE[dtype] * max(1.0, scale), msg=name
        )


def test_statistics_of_half_precision_are_float32(found: Found) -> None:
    images = make_images(sum(SPLITS[len(found)]), torch.float32, torch.contiguous_format)
    norm = nn.BatchNorm2d(4)
    norm(images.bfloat16().float())
    for result in found:
        mean, variance, *dtypes = result["half"]
        torch.testing.assert_close(mean, norm.running_mean, rtol=1e-5, atol=0)
        torch.testing.assert_close(variance, norm.running_var, rtol=1e-4, atol=0)
        assert dtypes == [torch.bfloat16] * 2


def test_memory_format_stays(found: Found) -> None:
    assert all(result["formats"] == [True, True] for result in found)


def test_evaluation_in_processes_is_that_of_batch_norm(found: Found) -> None:
    assert all(result["evaluation"] for result in found)


@pytest.mark.parametrize("training", [True, False])
def test_a_single_process_gets_batch_norm_to_the_bit(training: bool) -> None:
    plain = build(torch.float32).train(training)
    images = make_images(3, torch.float32, torch.contiguous_format)
    synchronized = synchronize_batch_norm(copy.deepcopy(plain))
    assert torch.equal(synchronized(images), plain(images))
    for expected, value in zip(
        plain.state_dict().values(), synchronized.state_dict().values(), strict=True
    ):
        assert torch.equal(expected, value)


def test_conversion_hands_everything_over() -> None:
    model = build(torch.float64)
    model[1].eval()
    before = model.state_dict(keep_vars=True)
    norms = [(model[0].eps, model[0].momentum), (model[1][1].eps, model[1][1].momentum)]
    converted = synchronize_batch_norm(model)
    assert converted is model
    after = model.state_dict(keep_vars=True)
    assert list(after) == list(before)
    assert all(after[name] is value for name, value in before.items())
    found = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [type(m) for m in found] == [SyncBatchNorm2d] * 2
    assert [(m.eps, m.momentum) for m in found] == norms
    assert [m.training for m in found] == [True, False]


def test_a_lone_normalisation_is_replaced() -> None:
    norm = nn.BatchNorm2d(3)
    converted = synchronize_batch_norm(norm)
    assert isinstance(converted, SyncBatchNorm2d)
    assert converted.weight is norm.weight


if __name__ == "__main__":
    run_group(int(sys.argv[1]), Path(sys.argv[2]))
