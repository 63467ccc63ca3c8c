"""WebDataset shards: tar files whose neighbouring members of one key are a sample.

    roads/
        train-000000.tar            or train/000000.tar, or roads-train-000000.tar
            0001.jpg                the picture
            0001.png                its mask; or 0001.seg.png, 0001.mask.png, 0001.cls.png
            0001.json               anything else is passed over
        val-000000.tar
        classes.txt

The key of a member is its name up to the first dot after the last `/`; the rest is its extension,
in any case. An extension of one word (`jpg`, `png`, `tif`, ...) or with `image` or `img` before it
is a picture. One with `mask`, `seg`, `label`, `annotation`, `gt` or `cls` before it is a mask, and
so is a bare `png` beside a picture that has no mask of such a name. The options `image` and `mask`
name other extensions.

In object storage, by a data.yaml:

    format: webdataset
    options:
      train: s3://bucket/roads/train-{000000..000099}.tar
      val: s3://bucket/roads/val-{000000..000009}.tar
      cache: /scratch/shards      # where shards are kept on this machine
      cache_size: 50GB            # and how much of them

Shards are read by position, not as a stream, so any sample can be asked for at any time. Where no
name says a split, all samples are one pool. `classes.txt` lies beside the shards, or beside the
data.yaml.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from segnext.data.containers.shard_cache import DEFAULT_BYTES, open_cache, parse_size
from segnext.data.containers.shards import ensure_index, read_index
from segnext.data.containers.tar_index import Member, index_tar
from segnext.data.formats.format import Format
from segnext.data.formats.inner_paths import inner_path
from segnext.data.formats.mask_pictures import holds_mask_pictures
from segnext.data.formats.shard_names import expand_option, find_local_shards, name_shards
from segnext.data.formats.shard_samples import Extensions, find_samples, holds_samples
from segnext.data.layout import Layout
from segnext.data.pairing import Item, keep_labelled
from segnext.data.shard_order import most_at_a_time, number_shards
from segnext.errors import DataError, UsageError, list_some
from segnext.storage import cache_folder

# Shards fetched side by side when a data set is opened for the first time.
_FETCHED_AT_ONCE = 4


@dataclass(frozen=True)
class _Shard:
    """A shard whose members are known.

    Attributes:
        path: Of the tar file, or of its index where it is in object storage.
        source: The tar file or URL, for people.
        size: In bytes.
        members: As its headers list them.
    """

    path: Path
    source: str
    size: int
    members: Sequence[Member]


def detect(root: Path) -> bool:
    """Tell whether a folder holds tar files with samples, and no folders of masks."""
    try:
        shards = find_local_shards(root)
        first = next((paths[0] for paths in shards.values()), None)
        if first is None or (root.is_dir() and holds_mask_pictures(root)):
            return False
        return holds_samples(index_tar(first))
    except (DataError, OSError):
        return False


def read(
    root: Path,
    *,
    train: Any = None,
    val: Any = None,
    test: Any = None,
    shards: Any = None,
    image: Any = None,
    mask: Any = None,
    cache: str | None = None,
    cache_size: str | int = DEFAULT_BYTES,
) -> Layout:
    """Find the samples of tar shards.

    Args:
        root: Folder that paths are relative to.
        train: Shards of the split: a path or URL with or without braces, or a list of them. Found
            by their names if nothing is given.
        val: Likewise.
        test: Likewise.
        shards: Of a pool that is split by a hash, instead of splits.
        image: Extension of pictures, such as `rgb.png`, or a list; see above if not given.
        mask: Extension of masks, likewise.
        cache: Folder for shards from object storage; below the user's cache folder if not given.
        cache_size: How much it may hold, such as `50GB`.

    Raises:
        DataError: A shard is missing, damaged or holds no sample.
        UsageError: An option is malformed, or a package is missing.
    """
    given = {"train": train, "val": val, "test": test, "": shards}
    wanted = {
        split: expand_option(value, split or "shards") for split, value in given.items() if value
    }
    if "" in wanted and len(wanted) > 1:
        msg = f"shards and {list_some(name for name in wanted if name)} exclude each other"
        raise UsageError(msg)
    extensions = Extensions.parse(image, mask)
    place = root / Path(cache).expanduser() if cache else cache_folder() / "shards"
    allowed = parse_size(cache_size)
    opened = _open_given(root, wanted, place, allowed) if wanted else _open_found(root)
    counts = [f"{len(found)} {split}".strip() for split, found in opened.items()]
    layout = Layout(f"WebDataset, {' + '.join(counts)} shards")
    for split, found in opened.items():
        items = keep_labelled(
            _read_items(found, extensions, layout.notes), split or "all", layout.notes
        )
        if split:
            layout.splits[split] = items
        else:
            layout.pool = items
    if wanted:
        _check_room(layout, [shard for found in opened.values() for shard in found], allowed)
    return layout


def _open_found(root: Path) -> dict[str, list[_Shard]]:
    found = find_local_shards(root)
    if not found and not root.is_dir():
        msg = f"{root}: holds no shards; those inside an archive are not read, unpack it"
        raise DataError(msg)
    if not found:
        msg = f"{root}: holds no .tar shards; name them with options: {{train: ..., val: ...}}"
        raise DataError(msg)
    if "" in found and len(found) > 1:
        unnamed = list_some(path.name for path in found[""])
        msg = f"{root}: the names of {unnamed} say no split, others do; rename or remove them"
        raise DataError(msg)
    return {split: [_open_local(path) for path in paths] for split, paths in found.items()}


def _open_given(
    root: Path, wanted: dict[str, list[str]], cache: Path, allowed: int
) -> dict[str, list[_Shard]]:
    names = [name for part in wanted.values() for name in part]
    remote = [name for name in names if "://" in name]
    local = {name: root / inner_path(name, "shards") for name in names if "://" not in name}
    missing = [path for path in local.values() if not path.is_file()]
    if missing:
        msg = f"{root}: {len(missing)} of {len(local)} shards are missing: {list_some(missing, 3)}"
        raise DataError(msg)
    opened = {name: _open_local(path) for name, path in local.items()}
    if remote:
        open_cache(cache, allowed)
        opened |= dict(zip(remote, _open_remote(cache, remote), strict=True))
    return {split: [opened[name] for name in part] for split, part in wanted.items()}


def _open_local(path: Path) -> _Shard:
    try:
        return _Shard(path, str(path), path.stat().st_size, index_tar(path))
    except DataError as error:
        msg = f"{path}: {error}"
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
    raise DataError(msg)


def _open_remote(cache: Path, urls: Sequence[str]) -> list[_Shard]:
    console = Console(stderr=True)
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as threads:
        waiting = [threads.submit(ensure_index, cache, url) for url in urls]
        try:
            paths = [
                future.result()
                for future in track(
                    waiting,
                    "reading shards",
                    console=console,
                    transient=True,
                    disable=not console.is_terminal,
                )
            ]
        except BaseException:
            threads.shutdown(cancel_futures=True)
            raise
    shards = []
    for path, url in zip(paths, urls, strict=True):
        try:
            index = read_index(path)
        except DataError as error:
            msg = f"{path}: {error}"
            raise DataError(msg) from None
        shards.append(_Shard(path, url, index.size, index.members))
    return shards


def _read_items(
    shards: Sequence[_Shard], extensions: Extensions, notes: list[str]
) -> tuple[Item, ...]:
    items: list[Item] = []
    without_picture = 0
    choices: set[str] = set()
    for shard, shard_name in zip(shards, name_shards([s.source for s in shards]), strict=True):
        for sample in find_samples(shard.members, extensions, shard.source):
            if sample.image is None:
                without_picture += 1
                continue
            choices |= {sample.choice} - {""}
            name = f"{shard_name}/{sample.key}"
            mask_path = shard.path / sample.mask if sample.mask else None
            items.append(Item(name, shard.path / sample.image, mask_path, name, str(shard.path)))
    if not items:
        found = extensions.describe()
        msg = f"{shards[0].source}: no sample of {len(shards)} shards has a picture; {found}"
        raise DataError(msg)
    if without_picture:
        notes.append(f"shards: {without_picture} samples without a picture are passed over")
    notes += sorted(choices)
    return tuple(items)


def _check_room(layout: Layout, shards: Sequence[_Shard], allowed: int) -> None:
    """Refuse a cache that would have to fetch shards again for nearly every sample."""
    remote = {str(shard.path): shard.size for shard in shards if "://" in shard.source}
    training = layout.splits.get("train") or layout.pool
    used = [item.shard for item in training if item.shard in remote]
    if not used or sum(remote.values()) <= allowed:
        return
    needed = most_at_a_time(number_shards(used)) * max(remote.values())
    if needed > allowed:
        msg = (
            f"cache_size of {allowed:,} bytes is too small: training mixes samples of "
            f"{most_at_a_time(number_shards(used))} shards at a time; give at least "
            f"{-(-needed // 10**9)}GB, or write smaller shards"
        )
        raise UsageError(msg)


FORMAT = Format("webdataset", "WebDataset tar shards", detect, read)
