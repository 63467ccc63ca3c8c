"""Rows of a data set in an Arrow file, each picture of a row as if it were a file of its own.

`data-00000-of-00002.arrow/17/image` is what row 17 has in the column `image`. The file is mapped
into memory, so that a row costs no more than its own bytes, and processes share what was read.
This is what Hugging Face's `datasets` writes with `save_to_disk`.
"""

import functools
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segnext.errors import DataError, UsageError
from segnext.storage import lock_file

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

# Rows that are turned from Parquet at once; of pictures, a few hundred MB at most.
_COPIED_ROWS = 64
# A Parquet file may name one picture a million times; a copy has it as often.
_MOST_COPIED_RATIO, _MOST_COPIED_BYTES = 20, 4 << 30


def import_pyarrow() -> Any:
    """Import pyarrow.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        msg = f'rows of Hugging Face data sets need pip install "segnext[hub]" ({error})'
        raise UsageError(msg) from None
    return pyarrow


class ArrowRows:
    """Pictures in the rows of an Arrow file, as written by `save_to_disk`.

    Args:
        path: An Arrow stream.

    Raises:
        UsageError: pyarrow is not installed.
        DataError: It is no Arrow stream, cut off, or damaged.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        arrow = import_pyarrow()
        try:
            with arrow.memory_map(str(path)) as file, arrow.ipc.open_stream(file) as stream:
                self._schema: pa.Schema = stream.schema
                self._batches: list[pa.RecordBatch] = list(stream)
            self.columns = picture_columns(self._schema)
            for batch in self._batches:
                # Of pictures only positions are looked at, which must not lead out of the map.
                batch.select(self.columns).validate(full=True)
        except (arrow.ArrowException, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno:  # what is cut off has no number
                raise
            msg = f"is no Arrow file, or damaged ({_one_line(error)}); copy it again"
            raise DataError(msg) from None
        self._starts = [0]
        for batch in self._batches:
            self._starts.append(self._starts[-1] + batch.num_rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._starts[-1]

    def names(self) -> tuple[str, ...]:
        """Return every member, sorted; see `Container`."""
        return tuple(sorted(f"{row}/{col}" for row in range(len(self)) for col in self.columns))

    def size(self, name: str) -> int:
        """Return the bytes of a member; see `Container`."""
        return int(self._value(name).as_buffer().size)

    def read(self, name: str) -> bytes:
        """Return a member's content; see `Container`."""
        content: bytes = self._value(name).as_py()
        return content

    def prefetch(self) -> None:
        """Do nothing: rows are on disk."""

    def holds(self, column: str) -> "npt.NDArray[np.bool_]":
        """Tell for each row (N,) whether it has a picture in a column."""
        import numpy as np

        parts = [
            _content(batch, column).is_valid().to_numpy(zero_copy_only=False)
            for batch in self._batches
        ]
        return np.concatenate([*parts, np.zeros(0, np.bool_)]).astype(np.bool_)

    def file_names(self, column: str) -> list[str | None]:
        """Return for each row the path that its picture once had, where it is known."""
        names: list[str | None] = []
        for batch in self._batches:
            cells = batch.column(column)
            place = cells.type.get_field_index("path") if _is_struct(cells.type) else -1
            found = cells.flatten()[place].to_pylist() if place >= 0 else []
            # Whatever else a stranger keeps under this name is no path.
            paths = [name if isinstance(name, str) else None for name in found]
            names += paths or [None] * batch.num_rows
        return names

    def _value(self, name: str) -> Any:
        row_text, _, column = name.partition("/")
        if not (row_text.isascii() and row_text.isdigit()) or column not in self.columns:
            raise KeyError(name)
        row = int(row_text)
        if row >= len(self) or str(row) != row_text:
            raise KeyError(name)
        place = bisect_right(self._starts, row) - 1
        value = _content(self._batches[place], column)[row - self._starts[place]]
        if not value.is_valid:
            raise KeyError(name)
        return value


def list_columns(path: Path) -> list[str]:
    """Return the columns of an Arrow or Parquet file that may hold pictures.

    Raises:
        UsageError: pyarrow is not installed.
        DataError: The file is damaged.
    """
    arrow = import_pyarrow()
    try:
        if path.suffix.lower() == ".parquet":
            schema = arrow.parquet.read_schema(path)
        else:
            with arrow.memory_map(str(path)) as file, arrow.ipc.open_stream(file) as stream:
                schema = stream.schema
    except (arrow.ArrowException, ValueError, OSError) as error:
        msg = f"{path}: holds no rows, or is damaged ({_one_line(error)}); copy it again"
        raise DataError(msg) from None
    return picture_columns(schema)


def picture_columns(schema: "pa.Schema") -> list[str]:
    """Return the columns that may hold pictures: bytes, or bytes with a path."""
    return [field.name for field in schema if _holds_bytes(field.type)]


def copy_parquet(source: Path, columns: Sequence[str], target: Path) -> None:
    """Copy columns of a Parquet file into an Arrow file, whose rows can be read one by one.

    Does nothing where the copy is there. Several processes may ask for it at once.

    Args:
        source: Parquet file.
        columns: To copy.
        target: Arrow file; its folder is made if missing.

    Raises:
        DataError: The file is damaged, or cannot be copied.
    """
    arrow = import_pyarrow()
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with lock_file(target.with_name(f".{target.name}.lock")):
            if target.is_file():
                return
            try:
                _copy(arrow, source, columns, part)
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    except (arrow.ArrowException, ValueError) as error:
        msg = f"{source}: is no Parquet file, or damaged ({_one_line(error)}); copy it again"
        raise DataError(msg) from None
    except OSError as error:
        msg = f"{source}: cannot be copied to {target} ({error.strerror or error})"
        raise DataError(msg) from None


def _copy(arrow: Any, source: Path, columns: Sequence[str], part: Path) -> None:
    most = max(_MOST_COPIED_BYTES, _MOST_COPIED_RATIO * source.stat().st_size)
    # Without pre-buffering memory holds a few rows, not a whole group of them.
    with arrow.parquet.ParquetFile(source, pre_buffer=False) as file:
        schema = arrow.schema([file.schema_arrow.field(name) for name in columns])
        schema = schema.with_metadata(file.schema_arrow.metadata)
        with part.open("wb") as sink, arrow.ipc.new_stream(sink, schema) as stream:
            for batch in file.iter_batches(_COPIED_ROWS, columns=list(columns)):
                stream.write_batch(batch.select(list(columns)))
                if sink.tell() > most:
                    msg = f"{source}: unpacks to more than {most:,} bytes; do you trust it?"
                    raise DataError(msg)


def _holds_bytes(kind: "pa.DataType") -> bool:
    if _is_struct(kind):
        place = kind.get_field_index("bytes")
        return bool(place >= 0) and _is_binary(kind.field(place).type)
    return _is_binary(kind)


def _content(batch: "pa.RecordBatch", column: str) -> Any:
    """Return the bytes of a column, in an array as long as the batch."""
    cells = batch.column(column)
    if not _is_struct(cells.type):
        return cells
    # `field` would forget rows in which the whole struct is missing.
    return cells.flatten()[cells.type.get_field_index("bytes")]


@functools.cache
def _is_struct(kind: "pa.DataType") -> bool:
    return bool(import_pyarrow().types.is_struct(kind))


@functools.cache
def _is_binary(kind: "pa.DataType") -> bool:
    types = import_pyarrow().types
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
