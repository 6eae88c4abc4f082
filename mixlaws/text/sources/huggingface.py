"""The source `huggingface`: a dataset of the Hugging Face hub, or a folder that is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from mixlaws.errors import DataError
from mixlaws.text.parts import Part
from mixlaws.text.selection import missing_field
from mixlaws.text.sources.source import Reading, RecordSource, SourceText, key


@dataclass(frozen=True, kw_only=True)
class HuggingFaceSource(RecordSource):
    """A dataset that the `datasets` library loads: a name on the hub or a local folder."""

    name: ClassVar[str] = "huggingface"

    dataset: str = key("Name on the Hugging Face hub, or a local folder.", type="string")
    subset: str | None = key("Configuration of the dataset.", type=["string", "null"], default=None)
    split: str = key("Split to read.", type="string", default="train")
    revision: str | None = key(
        "Branch, tag or commit of the repository; a commit never changes.",
        type=["string", "null"],
        default=None,
    )
    streaming: bool = key(
        "Read without downloading the whole dataset.", type="boolean", default=False
    )
    num_parts: int = key(
        "Jobs that read the dataset in parallel; a stream needs at least as many files.",
        type="integer",
        minimum=1,
        default=1,
    )

    def plan_parts(self, part_bytes: int) -> list[Part]:  # noqa: ARG002 (sizes are unknown)
        """Return `num_parts` slices of the dataset, or one if there is a cap."""
        count = 1 if self.limit else self.num_parts
        return [Part((), index, count) for index in range(count)]

    def open(self, part: Part) -> Reading:
        """Open a slice of the dataset; units are rows, unknown if a stream declares no size."""
        dataset = self._load()
        columns = self.selection.columns()
        for column in columns:
            if column not in (dataset.column_names or columns):
                raise DataError(missing_field(column, dataset.column_names, self.dataset))
        splits = dataset.info.splits or {}
        declared = splits[self.split].num_examples if self.split in splits else 0
        num_rows = declared if self.streaming else dataset.num_rows
        name = [self.dataset, self.subset, self.split, str(dataset.info.version), self.revision]
        # A stream is cut between files, other datasets between rows; both keep the order.
        if part.count > 1:
            with self._explained():
                dataset = dataset.shard(part.count, part.index, contiguous=True)
        return Reading(
            texts=self._rows(dataset, part),
            total_units=num_rows or None,
            listing=[[*name, num_rows]] if part.index == 0 else [],
        )

    def _load(self) -> Any:
        # Imported here: it takes seconds, and imports pandas.
        import datasets

        with self._explained():
            return datasets.load_dataset(
                self.dataset,
                self.subset,
                split=self.split,
                streaming=self.streaming,
                revision=self.revision,
            )

    def _rows(self, dataset: Any, part: Part) -> Iterator[SourceText]:
        # Imported here: the Snakefile imports every source, and evaluates no filter.
        from mixlaws.text.records import Selector

        selector = Selector(self.selection)
        slice_name = f" of part {part.index + 1} of {part.count}" if part.count > 1 else ""
        with self._explained():
            for number, row in enumerate(dataset, start=1):
                yield selector.text(f"{self.dataset}, row {number:,}{slice_name}", 1, row)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the library raises into an error that names the dataset."""
        import datasets

        try:
            yield
        except DataError:
            raise
        except (OSError, ValueError, IndexError, datasets.exceptions.DatasetsError) as error:
            raise DataError(
                f"dataset {self.dataset!r} (subset {self.subset!r}, split {self.split!r}) cannot "
                f"be read: {error}. Check the spelling, the files and the network"
            ) from error
