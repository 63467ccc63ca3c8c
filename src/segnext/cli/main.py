"""The `segnext` command. Each sub-command has a file of its own beside this one.

Those files import torch and the rest inside their functions, so that `--help` answers at once.
Exit codes: 0 done, 1 failed, 2 wrong use, 130 and 143 interrupted (and saved).
"""

import logging
import os
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from typer.core import TyperGroup

from segnext import __version__
from segnext.cli.benchmark import benchmark
from segnext.cli.classify import classify_app
from segnext.cli.compare import compare
from segnext.cli.data_check import data_check
from segnext.cli.data_classes import data_classes
from segnext.cli.data_formats import data_formats
from segnext.cli.data_maps import data_maps
from segnext.cli.data_prepare import data_prepare
from segnext.cli.data_submission import data_submission
from segnext.cli.evaluate import evaluate
from segnext.cli.export import export
from segnext.cli.import_weights import import_weights
from segnext.cli.models import models
from segnext.cli.plan import plan
from segnext.cli.predict import predict
from segnext.cli.runs import compare_runs, list_runs, show_run
from segnext.cli.serve import serve
from segnext.cli.synthetic import synthetic
from segnext.cli.train import train
from segnext.cli.video import video
from segnext.errors import SegnextError


class _OneLineErrors(TyperGroup):
    """Print our own errors as one line and leave with their exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SegnextError as error:
            Console(stderr=True).print(
                f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
            )
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    name="segnext",
    help="SegNeXt semantic segmentation: train on a folder of photos and masks, measure, predict.",
    cls=_OneLineErrors,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Make and inspect data sets.", no_args_is_help=True)
app.add_typer(data_app, name="data")
runs_app = typer.Typer(help="List, show and compare past runs.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")
app.add_typer(classify_app, name="classify")

app.command()(plan)
app.command()(train)
app.command()(evaluate)
app.command()(predict)
app.command()(video)
app.command()(export)
app.command()(serve)
app.command()(benchmark)
app.command()(compare)
app.command("import-weights")(import_weights)
app.command()(models)
data_app.command()(synthetic)
data_app.command("check")(data_check)
data_app.command("maps")(data_maps)
data_app.command("prepare")(data_prepare)
data_app.command("classes")(data_classes)
data_app.command("formats")(data_formats)
data_app.command("submission")(data_submission)
runs_app.command("list")(list_runs)
runs_app.command("show")(show_run)
runs_app.command("compare")(compare_runs)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segnext {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print and leave."),
    ] = False,
) -> None:
    """Set up how messages of the package reach the terminal."""
    del version
    handler = RichHandler(
        console=Console(stderr=True), show_time=False, show_path=False, markup=False
    )
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    # OpenCV and FFmpeg write lines about broken files, of which our own errors say what matters.
    # Both read these when they start, in worker processes too.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
