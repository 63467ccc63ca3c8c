"""`segnext plan`: look at a data set, choose every option of a training, and say why."""

from pathlib import Path
from typing import Annotated

import typer

from segnext.cli.options import (
    Budget,
    Data,
    Device,
    Domain,
    Format,
    Group,
    IgnoreIndex,
    Init,
    Memory,
    Model,
    Overrides,
    SplitSeed,
)


def plan(
    data: Data,
    out: Annotated[
        Path, typer.Option(help="Folder for plan.yaml and fingerprint.json.", show_default=False)
    ] = Path("plan"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a plan that is there, edits and all.")
    ] = False,
    model: Model = None,
    init: Init = None,
    budget: Budget = None,
    memory: Memory = None,
    domain: Domain = None,
    device: Device = None,
    format_: Format = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Measure the data and this machine, and write down every choice of a training with its reason.

    The plan may be edited; segnext train obeys it and checks it against the data.

    Example: segnext plan roads/ --domain street --budget 2h --out plans/roads

    Then: segnext train --plan plans/roads/plan.yaml
    """
    from segnext.training import plan as make_plan
    from segnext.training.arguments import parse_overrides
    from segnext.training.display import Display

    given = {
        "model": model,
        "init": init,
        "budget": budget,
        "memory": memory,
        "domain": domain,
        "device": device,
        "group": group,
        "format": format_,
        "ignore_index": tuple(ignore_index) if ignore_index else None,
        "split_seed": split_seed or None,
    }
    options = {name: value for name, value in given.items() if value is not None}
    made = make_plan(data, **options | parse_overrides(overrides or []))
    path = made.save(out, overwrite=overwrite)
    display = Display(quiet=quiet)
    for line in (*made.fingerprint.describe(), *made.notes):
        display.say(line)
    display.show_choices(made.choices)
    display.say(f"written to {path}; edit it, then segnext train --plan {path}")
