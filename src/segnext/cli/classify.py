"""`segnext classify`: train, score and use MSCAN as a classifier of photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from segnext.cli.options import Budget, Device, Overrides

if TYPE_CHECKING:
    from segnext.classification.evaluation import ClassReport

classify_app = typer.Typer(
    help="Classify photos: train MSCAN on ImageNet or your own classes, score it, predict.",
    no_args_is_help=True,
)

ClassifierWeights = Annotated[
    Path,
    typer.Argument(help="Weights of segnext classify train (.safetensors).", show_default=False),
]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that read ahead.")]
# More rows than these are for --out and --json.
_LISTED_CLASSES = 100

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


@classify_app.command()
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with train/ and val/, and in them a folder of photos for each class.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="mscan_tiny (the default), mscan_small, mscan_base or mscan_large."),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: a file or a published name; from scratch by default."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder; the next free one under runs/ by default.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    budget: Budget = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the photos; the recipe's 300 by default.")
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(
            help="Side of training crops in pixels; 224, or small pictures' own, by default."
        ),
    ] = None,
    stem_stride: Annotated[
        int | None,
        typer.Option(help="Pixels per position of the first stage: 4, or 2 or 1 for small photos."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Photos per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="After warm-up.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    device: Device = None,
    workers: Workers = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Terms of the trained weights, kept in them.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of options, such as a run's config.yaml."),
    ] = None,
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a classifier by the ImageNet recipe; whatever is not given is chosen and explained.

    Example: segnext classify train imagenet/ --model mscan_tiny

    Small pictures: segnext classify train cifar/ --stem-stride 1 --epochs 100 --set crop=padded

    In many processes: torchrun --nproc-per-node 8 -m segnext classify train imagenet/

    Then: segnext train roads/ --encoder runs/imagenet-mscan_tiny-1/best.safetensors

    Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C and 143 by SIGTERM, saved.
    """
    from segnext.classification import train as run_training
    from segnext.training.arguments import parse_overrides, read_config

    named = {
        "data": data,
        "model": model,
        "init": init,
        "budget": budget,
        "epochs": epochs,
        "crop_size": crop,
        "stem_stride": stem_stride,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "device": device,
        "num_workers": workers,
        "seed": seed,
        "license": license_,
    }
    options: dict[str, Any] = read_config(config) if config is not None else {}
    options |= {name: value for name, value in named.items() if value is not None}
    options |= parse_overrides(overrides or [])
    run_training(resume=resume, out=out, quiet=quiet, **options)


@classify_app.command()
def evaluate(
    weights: ClassifierWeights,
    data: Annotated[
        Path,
        typer.Argument(
            help="Folder with the split, and in it a folder of photos for each class.",
            show_default=False,
        ),
    ],
    split: Annotated[str, typer.Option(help="train or val.")] = "val",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for per_class.csv, confusion.png and worst_confusions.png."),
    ] = None,
    device: Device = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read ahead.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Score a classifier: top-1, top-5, and accuracy and precision of every class.

    Example: segnext classify evaluate best.safetensors imagenet/ --out scores/
    """
    from segnext.classification import evaluate as score_classifier
    from segnext.cli.progress import counting_bar

    with counting_bar("classifying") as show:
        report = score_classifier(
            weights, data, split=split, device=device, num_workers=workers, on_photo=show
        )
    written = [] if out is None else _write_report(report, out)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    _print_report(report)
    console = Console(soft_wrap=True, highlight=False)
    if written:
        console.print(f"written: {', '.join(map(str, written))}", markup=False)


@classify_app.command()
def predict(
    weights: ClassifierWeights,
    paths: Annotated[
        list[str], typer.Argument(help="Photos, folders or patterns.", show_default=False)
    ],
    top: Annotated[int, typer.Option(min=1, help="Classes to name for each photo.")] = 5,
    device: Device = None,
    as_json: AsJson = False,
) -> None:
    """Name the most probable classes of photos, with their probabilities.

    A broken photo is listed at the end, with exit code 1.

    Example: segnext classify predict best.safetensors photos/ --top 3
    """
    from segnext.classification import load_classifier
    from segnext.classification.prediction import classify_photos
    from segnext.inference import choose_device
    from segnext.predict import find_images

    photos = list(find_images(paths).values())
    model, spec = load_classifier(weights, device=choose_device(device))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    done = []
    for photo in classify_photos(model, spec, photos, top=top):
        done.append(photo)
        if not as_json and not photo.problem:
            console.print(photo.path)
            for name, probability in zip(photo.names, photo.probabilities, strict=True):
                console.print(f"  {probability:6.1%}  {name}")
    if as_json:
        typer.echo(json.dumps([photo.to_dict() for photo in done]))
    failed = [photo.problem for photo in done if photo.problem]
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    for problem in failed:
        errors.print(f"failed: {problem}")
    if failed:
        raise typer.Exit(1)


def _write_report(report: "ClassReport", out: Path) -> list[Path]:
    from segnext.classification.pictures import draw_confusion_matrix, draw_worst_confusions

    table, matrix, worst = (
        out / name for name in ("per_class.csv", "confusion.png", "worst_confusions.png")
    )
    report.write_per_class(table)
    draw_confusion_matrix(report, matrix)
    return [table, matrix] + [worst] * draw_worst_confusions(report, worst)


def _print_report(report: "ClassReport") -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class")
    for title in ("photos", "accuracy", "precision"):
        table.add_column(title, justify="right")
    rows = report.rows()
    for row in rows if len(rows) <= _LISTED_CLASSES else ():
        shares = ("-" if row[n] is None else f"{row[n]:.1%}" for n in ("accuracy", "precision"))
        table.add_row(row["class"], str(row["photos"]), *shares)
    console = Console(soft_wrap=True, highlight=False)
    if table.row_count:
        console.print(table)
        console.print()
    for confusion in report.confusions()[:3]:
        true, predicted = (report.spec.names[i] for i in (confusion.true, confusion.predicted))
        console.print(f"{true} taken for {predicted}: {confusion.count} photos", markup=False)
    console.print(
        f"{report.scores.describe()}  {report.split}, {report.scores.photos:,} photos, "
        f"{report.spec.view.describe()}",
        markup=False,
    )
