"""The source `huggingface`: a dataset of the Hugging Face hub, or a folder that is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from mixlaws.errors import ConfigError, DataError
from mixlaws.text.parts import Part
from mixlaws.text.selection import missing_field
from mixlaws.text.sources.paths import expand_path
from mixlaws.text.sources.source import Reading, RecordSource, SourceText, key


@dataclass(frozen=True, kw_only=True)
class HuggingFaceSource(RecordSource):
    """A dataset that the `datasets` library loads: a name on the hub or a local folder."""

    name: ClassVar[str] = "huggingface"

    dataset: str = key(
        "Name on the Hugging Face hub, or a local folder (also of `save_to_disk`).", type="string"
    )
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
        dataset, is_stream = self._load()
        columns = self.selection.columns()
        for column in columns:
            if column not in (dataset.column_names or columns):
                raise DataError(missing_field(column, dataset.column_names, self.dataset))
        splits = dataset.info.splits or {}
        declared = splits[self.split].num_examples if self.split in splits else 0
        num_rows = declared if is_stream else dataset.num_rows
        name = [self.dataset, self.subset, self.split, str(dataset.info.version), self.revision]
        with self._explained():
            if dataset.column_names:
                dataset = dataset.select_columns(columns)
            # A stream is cut between files, other datasets between rows; both keep the order.
            if part.count > 1:
                dataset = dataset.shard(part.count, part.index, contiguous=True)
        return Reading(
            texts=self._rows(dataset, part),
            total_units=num_rows or None,
            sample=lambda units: f"the first {units:,.0f} rows",
            listing=[[*name, num_rows]] if part.index == 0 else [],
        )

    def _load(self) -> tuple[Any, bool]:
        """Return the dataset, and whether it is a stream."""
        # Imported here: it takes seconds, and imports pandas.
        import datasets

        place = expand_path(self.dataset, "dataset")
        with self._explained():
            if any(Path(place, name).is_file() for name in _SAVED):
                return self._load_saved(place), False
            return datasets.load_dataset(
                place,
                self.subset,
                split=self.split,
                streaming=self.streaming,
                revision=self.revision,
            ), self.streaming

    def _load_saved(self, place: str) -> Any:
        """Return a dataset that `save_to_disk` wrote; it may be a dictionary of splits."""
        import datasets

        saved = datasets.load_from_disk(place)
        splits = dict(saved) if isinstance(saved, dict) else {str(saved.split or "train"): saved}
        if self.split not in splits:
            raise DataError(
                f"dataset {self.dataset!r}, which save_to_disk wrote, has no split {self.split!r}. "
                f"Set split to one of {', '.join(splits)}"
            )
        return splits[self.split]

    def _rows(self, dataset: Any, part: Part) -> Iterator[SourceText]:
        # Imported here: the Snakefile imports every source, and evaluates no filter.
        from mixlaws.text.formats import BATCH_ROWS, rows_of
        from mixlaws.text.records import Selector

        selector, number = Selector(self.selection), 0
        slice_name = f" of part {part.index + 1} of {part.count}" if part.count > 1 else ""
        # As Arrow tables: a row with a text that is not UTF-8 does not end the others.
        batches = iter(dataset.with_format("arrow").iter(BATCH_ROWS))
        while True:
            with self._explained(f" after row {number:,}{slice_name}"):
                batch = next(batches, None)
            if batch is None:
                return
            for row in rows_of(batch):
                number += 1
                yield selector.text(f"{self.dataset}, row {number:,}{slice_name}", 1, row)

    @contextmanager
    def _explained(self, place: str = "") -> Iterator[None]:
        """Turn what the library raises into an error that names the dataset, cause and remedy."""
        try:
            yield
        except (DataError, ConfigError):
            raise
        except Exception as error:  # the library lets errors of many others through
            reasons = list(_chain(error))
            told = " ".join(str(reason) for reason in reasons)
            # The library's own message says only that something went wrong while generating.
            told_by = reasons[-1] if "while generating" in str(error) else error
            cause = str(told_by).strip() or type(told_by).__name__
            raise DataError(
                f"dataset {self.dataset!r} (subset {self.subset!r}, split {self.split!r}) cannot "
                f"be read{place}: {' '.join(cause.split())[:500]}. {self._remedy(told)}"
            ) from error

    def _remedy(self, told: str) -> str:
        """Return what to do about an error, from the messages of all its causes."""
        found = next((remedy for words, remedy in _REMEDIES if re.search(words, told)), None)
        if found is None:
            return "Check the spelling, the files and the network"
        is_local = Path(expand_path(self.dataset, "dataset")).is_dir()
        place = self.dataset.rstrip("/") if is_local else "FOLDER"
        fetch = "" if is_local else f" after `hf download {self.dataset} --repo-type dataset`"
        return found.format(files=f"{{source: files, paths: [{place}/**/*.jsonl]}}{fetch}")


_SAVED = ("state.json", "dataset_dict.json")
# What the messages of errors contain, and the remedy; the first that matches is given.
_REMEDIES = [
    (
        "Couldn't cast|column names don't match|changed from|new columns|missing columns|"
        "Schema at index|Mismatch|DatasetGenerationCastError",
        "The records differ in their fields or types. Read the files as they are, each record by "
        "itself: {files}",
    ),
    ("No space left|Disk quota", "Free some space, or set HF_HOME to a larger disk"),
    (
        r"gated|[Rr]estricted|\b40[13]\b|[Uu]nauthorized|authenticated",
        "Ask for access on its page, and log in with `hf auth login`",
    ),
    ("Config name is missing|BuilderConfig", "Set subset to one of the names in the message"),
    ("Unknown split|Bad split|no split", "Check the spelling of split"),
    (
        "[Dd]ataset scripts|trust_remote_code|loading script",
        "Code of a dataset is never run. Set revision to refs/convert/parquet",
    ),
    (
        "offline|OfflineMode|ConnectionError|[Mm]ax retries|resolve|timed out",
        "Check the network, or download it beforehand and set HF_HUB_OFFLINE=1",
    ),
]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes; the last one is the first that occurred."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
