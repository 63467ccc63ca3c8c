"""`segnext models`: what can be built, and from which weights it can start."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table


def models(
    num_classes: Annotated[int, typer.Option(min=1, help="K, for the parameter count.")] = 150,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """List the models with their size, and the published weights with their terms.

    Example: segnext models --num-classes 19
    """
    import torch

    from segnext.models import BASELINES, MODELS, SegNeXt, SegNeXtConfig
    from segnext.weights import WEIGHTS

    rows: list[dict[str, Any]] = []
    for name, preset in MODELS.items():
        config = SegNeXtConfig(num_classes=num_classes, **preset)
        with torch.device("meta"):
            model = SegNeXt(config)
        rows.append(
            {
                "name": name,
                "parameters": sum(p.numel() for p in model.parameters()),
                "embed_dims": list(config.embed_dims),
                "depths": list(config.depths),
                "decoder_width": config.decoder_width,
                "weights": [asdict(w) for w in WEIGHTS.values() if w.model == name],
            }
        )
    baselines = [
        {"name": name, "encoder": parts["encoder"], "decoder": parts["decoder"]}
        for name, parts in BASELINES.items()
    ]
    if as_json:
        typer.echo(json.dumps([*rows, *baselines]))
        return
    table = Table("name", "parameters", "channels", "blocks", "decoder width", box=None)
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['parameters'] / 1e6:.2f} M",
            " ".join(map(str, row["embed_dims"])),
            " ".join(map(str, row["depths"])),
            str(row["decoder_width"]),
        )
    console = Console()
    console.print(table)
    compared = Table("baseline", "encoder", "decoder", box=None)
    for baseline in baselines:
        compared.add_row(*baseline.values())
    console.print()
    console.print(compared)
    published = Table("weights", "kind", "trained on", box=None)
    for weights in WEIGHTS.values():
        published.add_row(weights.name, weights.kind, weights.description)
    console.print()
    console.print(published)
    for terms in dict.fromkeys(weights.license for weights in WEIGHTS.values()):
        names = (weights.name for weights in WEIGHTS.values() if weights.license == terms)
        console.print(f"\nterms of {', '.join(names)}: {terms}", highlight=False)
