"""`segnext data maps`: windows of large rasters to train on."""

from pathlib import Path
from typing import Annotated

import typer

from segnext.cli.options import Bands, ValueRange, parse_bands, parse_value_range
from segnext.cli.progress import counting_bar
from segnext.errors import UsageError


def data_maps(
    rasters: Annotated[
        list[Path],
        typer.Argument(
            help="Maps: GeoTIFF or other rasters with the same bands.", metavar="MAP..."
        ),
    ],
    labels: Annotated[
        Path,
        typer.Option(
            help="Polygons (GeoPackage, GeoJSON, ...) or a raster of class ids for all maps, or a "
            "folder with one of the same name for each.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for data.yaml and maps.windows.", show_default=False)
    ],
    field: Annotated[str, typer.Option(help="Of polygons: holds their class.")] = "class",
    one_class: Annotated[
        str | None,
        typer.Option(help="All polygons are of this class, instead of what --field says."),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Of a file with several layers of polygons.")
    ] = None,
    unlabelled: Annotated[
        str, typer.Option(help="What pixels are that no polygon covers: background or ignore.")
    ] = "background",
    classes: Annotated[
        str | None,
        typer.Option(help="Names of the ids 0, 1, 2 of label rasters, such as water,wood,road."),
    ] = None,
    window: Annotated[int, typer.Option(min=32, help="Side of a picture to train on [px].")] = 1024,
    block: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Side of the blocks that go to train, val or test as a whole [px]; up to four "
            "windows by default.",
        ),
    ] = None,
    shares: Annotated[
        str, typer.Option(help="Of train, val and test among the blocks.")
    ] = "0.8,0.1,0.1",
    split_seed: Annotated[int, typer.Option(help="Another seed gives another split.")] = 0,
    bands: Bands = None,
    value_range: ValueRange = None,
) -> None:
    """List windows of maps with their labels, in splits by blocks, to train on.

    Pixels stay where they are: windows are read, and polygons painted, when training wants them.

    Example: segnext data maps ortho.tif --labels fields.gpkg --out data/fields

    Then: segnext train data/fields
    """
    from segnext.data.map_preparation import MapRules, prepare_maps

    rules = MapRules(
        window=window,
        block=block,
        shares=_parse_shares(shares),
        seed=split_seed,
        bands=parse_bands(bands),
        value_range=parse_value_range(value_range),
        layer=layer,
        field=field,
        one_class=one_class,
        classes=tuple(classes.split(",")) if classes else (),
        unlabelled=unlabelled,
    )
    with counting_bar("reading labels") as show:
        prepared = prepare_maps(rasters, labels, out, rules, on_window=show)
    for line in [*prepared.describe(), f"ready: {prepared.data_yaml}"]:
        typer.echo(line)


def _parse_shares(text: str) -> tuple[float, float, float]:
    try:
        train, val, test = (float(part) for part in text.split(","))
    except ValueError as error:
        msg = f"--shares {text!r}: should be three numbers, such as 0.8,0.1,0.1"
        raise UsageError(msg) from error
    return train, val, test
