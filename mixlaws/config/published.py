"""The config of an experiment on published losses: nothing is trained, laws are fitted to logs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from mixlaws.config.decision import Uncertainty
from mixlaws.config.section import (
    DomainName,
    Flag,
    Integer,
    Name,
    Number,
    Problem,
    Root,
    Section,
    Unique,
    key,
    optional,
    refuse,
)

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Settings = Annotated[dict[str, Any], Field(min_length=1)]


def _scalar(value: Any) -> Any:
    if not isinstance(value, int | float | str):
        raise refuse(f"must be a number, text, true or false, found {value!r}")
    return value


Scalar = Annotated[
    int | float | str,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["number", "string", "boolean"]}),
]


class PublishedSize(Section):
    """Shape and N of one size."""

    num_layers: Integer = key("L.", ge=1)
    model_width: Integer = key("d.", ge=1)
    num_params: Integer = key("N as the authors count it.", ge=1)


class StudySchedule(Section):
    """The cosine of a study's learning rate."""

    warmup_steps: Integer = key("Steps of linear warm-up.", unit="steps", ge=0)
    num_steps: Integer = key("Step at which the cosine ends.", unit="steps", ge=1)
    final: Number = key("Last rate over the peak rate.", ge=0, le=1)


class Correction(Section):
    """A known defect of the logs, and what is done about it."""

    name: str = key("What is corrected.")
    why: str = key("How it is known.")
    enabled: Flag = key("Whether it is applied.")
    kind: Literal["share", "order", "leave_out"] = key(
        "Replace one share of a run, read its shares in another order, or leave the run out."
    )
    run: Integer = key("The authors' run number.", ge=0)
    domain: str | None = optional("kind share: whose share.")
    published: Number | None = optional("kind share: the share as published.")
    corrected: Number | None = optional("kind share: the corrected share.")
    order: list[str] | None = optional("kind order: domains in the order of the name.")


class Study(Section):
    """One set of published runs."""

    files: dict[str, str] = key("One log per size, by its name in published.files.", min_length=1)
    domains: Annotated[list[str], Unique()] = key(
        "Training domains in the order of the shares in a run's name.", min_length=2
    )
    tokens_per_step: Integer = key("Tokens of one optimizer step.", unit="tokens", ge=1)
    schedule: StudySchedule | None = key(
        "The learning rate's cosine; null where it is constant or not stated."
    )
    validation_weights: dict[str, Annotated[Number, Field(ge=0)]] = key(
        "Weight of each validation domain in the overall loss; they are divided by their sum.",
        min_length=1,
    )
    base_model: str | None = key(
        "Checkpoint that training continued from, as the log names it; null for none."
    )
    names: dict[Any, str] = key(
        "Names of mixtures by the authors' run number; others are called mix-<number>."
    )
    corrections: list[Correction] = key("Known defects of the logs, corrected in this order.")


class Claim(Section):
    """A number to compare with; a row of paper_verdicts.csv."""

    id: str = key("What measures it (mixlaws/paper/measures.py).")
    item: str = key("Figure or table.")
    quantity: str = key("What the number is.")
    source: Literal["paper", "notebook", "code", "logs"] = key(
        "Who states it: version 2 of the paper, the authors' saved output, their code or their "
        "losses."
    )
    value: Scalar | None = optional("The number to compare with.")
    tolerance: Number | None = optional(
        "How far ours may be from it; without a tolerance it must be equal.", ge=0
    )
    relative: Flag | None = optional("The tolerance is a part of the value.")
    note: str | None = optional("What a reader of the row should know.")
    reason: str | None = optional("Why it cannot be reproduced; then nothing measures it.")

    def problems(self) -> Iterator[Problem]:
        """Yield a claim with neither a value nor a reason, or with both."""
        if (self.value is None) == (self.reason is None):
            found = "neither" if self.value is None else "both"
            yield (
                "",
                f"must have a value to compare with or else a reason, found {found} for "
                f"{self.id!r}",
            )


class Figures(Section):
    """Sizes, steps and settings of each figure; comments in experiments/paper.yaml."""

    two_domains: Settings = key("Laws of two domains.")
    forms: Settings = key("Forms of the mixing law, compared.")
    five_domains: Settings = key("Laws of five domains.")
    extrapolation: Settings = key("From small sizes and few steps to the target.")
    matching: Settings = key("Steps that the default mixture needs to match the optimised one.")
    ranks: Settings = key("Whether small sizes rank mixtures as large ones do.")
    continual: Settings = key("Continual pre-training.")


class Published(Section):
    """Where the logs are, how they are read and what is made from them."""

    url: str = key("Folder on the web that holds the files, at a pinned commit.")
    folder: str | None = key(
        "Local folder with the same files; null downloads them. Their sums are checked either way.",
        default=None,
    )
    files: dict[str, Digest] = key(
        "sha256 of each file that is read, by its path below the folder.", min_length=1
    )
    vocabulary_size: Integer = key("V, for the FLOPs of the vocabulary head.", ge=1)
    sequence_length: Integer = key("T, for the FLOPs of attention.", unit="tokens", ge=1)
    sizes: dict[str, PublishedSize] = key(
        "Shape and N of each size, by the label that studies use.", min_length=1
    )
    studies: dict[DomainName, Study] = key("The data sets.", min_length=1)
    validation_groups: dict[str, Annotated[list[str], Field(min_length=1)]] = key(
        "Validation domains put together, each in one group.", min_length=1
    )
    figures: Figures = key(
        "Sizes, steps and settings of each figure; comments in experiments/paper.yaml."
    )
    claims: list[Claim] = key("The numbers to compare with; each is a row of paper_verdicts.csv.")

    def problems(self) -> Iterator[Problem]:
        """Yield logs and sizes that studies name but the config lacks, and repeated claims."""
        for name, study in self.studies.items():
            for size, path in study.files.items():
                if path not in self.files:
                    yield f"studies.{name}.files.{size}", f"must be in published.files: {path}"
                if size not in self.sizes:
                    yield (
                        f"studies.{name}.files",
                        f"must name sizes ({', '.join(self.sizes)}), found {size!r}",
                    )
        ids = [claim.id for claim in self.claims]
        if repeated := sorted({name for name in ids if ids.count(name) > 1}):
            yield "claims", f"must have each id once, found several of {', '.join(repeated)}"


class PublishedExperiment(Root):
    """Every key of a config file with `published`. Nothing is trained."""

    experiment: Name = key("Name of the experiment; results go to results/{experiment}/.")
    seed: Integer = key("Decides random splits and bootstrap draws.", default=0, ge=0)
    uncertainty: Uncertainty = key("How the intervals are made.", default_factory=Uncertainty)
    published: Published = key("Where the logs are, how they are read and what is made from them.")
