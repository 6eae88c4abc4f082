"""Files that a config names and that are there from the start: a tokenizer, token files.

They are checked when a workflow starts and by `mixlaws plan`, before any text is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.config.initial_files import initial_problems
from mixlaws.errors import ConfigError, DataError, list_problems
from mixlaws.runs.lengths import num_windows
from mixlaws.text.sources import make_source
from mixlaws.text.sources.token_files import TokenFilesSource

if TYPE_CHECKING:
    from mixlaws.config.experiment import Experiment


def check_given_files(config: Experiment, root: Path = Path("results")) -> None:
    """Raise DataError listing every file that is there and cannot serve.

    The model that runs start from must be there too; `root` is the folder of all results.

    Token files that are not there yet are left to the job that needs them, and a tokenizer of a
    Hugging Face repository to the job that downloads it.
    """
    # Without the model there is no tokenizer either.
    problems = [*initial_problems(config, root)]
    problems = problems or [*_tokenizer_problems(config), *_token_file_problems(config)]
    if problems:
        raise DataError(f"the files that the config names have {list_problems(problems)}")


def _tokenizer_problems(config: Experiment) -> Iterator[str]:
    if config.tokenizer.file is None:
        return
    # Imported here: only a tokenizer that is given needs the library.
    from mixlaws.text.tokenizer import check_tokenizer, open_tokenizer

    try:
        opened = open_tokenizer(config.tokenizer.model_dump())
        check_tokenizer(opened, config.tokenizer.end_of_document)
    except ConfigError as error:
        named = str(error).startswith("tokenizer.file")
        yield str(error) if named else f"tokenizer.file: {error}"


def _token_file_problems(config: Experiment) -> Iterator[str]:
    """Yield the splits of token files that are too short, as far as their manifests are there."""
    length, wanted = config.training.sequence_length, config.validation.num_windows
    needed = {"validation": wanted, "train": 1}
    sources = {
        **{(name, "domains"): source for name, source in config.domains.items()},
        **{(name, "validation.domains"): each for name, each in config.validation.domains.items()},
    }
    for (name, place), source in sources.items():
        given = make_source(name, source.model_dump())
        if not isinstance(given, TokenFilesSource):
            continue
        for split in ("train", "validation") if place == "domains" else ("validation",):
            try:
                found = num_windows(given.manifest(split).num_tokens, length)
            except DataError:
                continue
            if found < needed[split]:
                yield (
                    f"{place}.{name}: the {split} split of its token files holds {found:,} of the "
                    f"{needed[split]:,} windows of {length:,} tokens. Name longer token files, or "
                    "lower validation.num_windows or training.sequence_length"
                )
