"""The config of an experiment that trains nothing and fits laws to published losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema

from mixlaws.config.budget import ComputeBudget
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

    num_layers: Integer = key("Number of layers L.", ge=1)
    model_width: Integer = key("Width d of the residual stream.", ge=1)
    num_params: Integer = key("N as the authors count it.", ge=1)


class StudySchedule(Section):
    """The cosine schedule of a study's learning rate."""

    warmup_steps: Integer = key("Length of the linear warm-up.", unit="steps", ge=0)
    num_steps: Integer = key("Step at which the cosine ends.", unit="steps", ge=1)
    final: Number = key("Last rate over the peak rate.", ge=0, le=1)


class Correction(Section):
    """A known defect of the logs, and its correction."""

    name: str = key("Name of the correction.")
    why: str = key("Evidence of the defect.")
    enabled: Flag = key("Whether the correction is applied.")
    kind: Literal["share", "order", "leave_out"] = key(
        "share replaces one share of a run, order reads its shares in another order, leave_out "
        "leaves the run out."
    )
    run: Integer = key("The authors' run number.", ge=0)
    domain: str | None = optional("For kind share: the domain whose share is wrong.")
    published: Number | None = optional("For kind share: the published share.")
    corrected: Number | None = optional("For kind share: the corrected share.")
    order: list[str] | None = optional(
        "For kind order: the domains in the order of the shares in the run's name."
    )


class Study(Section):
    """One data set of published runs."""

    files: dict[str, str] = key("One log per size, by its name in published.files.", min_length=1)
    domains: Annotated[list[str], Unique()] = key(
        "Training domains, in the order of the shares in a run's name.", min_length=2
    )
    tokens_per_step: Integer = key("Tokens of one optimizer step.", unit="tokens", ge=1)
    schedule: StudySchedule | None = key(
        "Cosine schedule of the learning rate; null if the rate is constant or not stated."
    )
    validation_weights: dict[str, Annotated[Number, Field(ge=0)]] = key(
        "Weight of each validation domain in the overall loss; they are divided by their sum.",
        min_length=1,
    )
    base_model: str | None = key(
        "Checkpoint that training continued from, as named in the log; null if there is none."
    )
    names: dict[str, str] = key(
        "Names of mixtures by the authors' run number in quotes; others are called mix-<number>."
    )
    corrections: list[Correction] = key("Known defects of the logs, corrected in this order.")


class Claim(Section):
    """A published number to compare with ours; a row of paper_verdicts.csv."""

    id: str = key("Id of our value, as named in mixlaws/paper/measures.py.")
    item: str = key("Figure or table of the paper.")
    quantity: str = key("Meaning of the number.")
    source: Literal["paper", "notebook", "code", "logs"] = key(
        "Origin of the number: version 2 of the paper, the output saved in the authors' notebook, "
        "their code or their losses."
    )
    value: Scalar | None = optional("The published number.")
    tolerance: Number | None = optional(
        "Largest difference between ours and it; without a tolerance they must be equal.", ge=0
    )
    relative: Flag | None = optional("Whether the tolerance is relative to the value.")
    note: str | None = optional("Note for a reader of the row.")
    reason: str | None = optional(
        "Reason why the number cannot be reproduced; it is then not measured."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield a problem if the claim has neither a value nor a reason, or both."""
        if (self.value is None) == (self.reason is None):
            found = "neither" if self.value is None else "both"
            yield (
                "",
                f"must have either a value to compare with or a reason, found {found} for "
                f"{self.id!r}",
            )


class Figures(Section):
    """Sizes, steps and settings of each figure; comments in experiments/paper.yaml explain them."""

    two_domains: Settings = key("Laws of two domains (figure 2).")
    forms: Settings = key("Comparison of the forms of the mixing law (table 1).")
    five_domains: Settings = key("Laws of five domains (figures 4 and 5).")
    extrapolation: Settings = key("Extrapolation from small sizes and few steps to the target.")
    matching: Settings = key("Steps that one mixture needs to match the other (figure 8).")
    ranks: Settings = key("Comparison of the ranks of mixtures between sizes.")
    continual: Settings = key("Continual pre-training (figure 10).")


class Published(Section):
    """The published logs, how to read them, and the settings of the figures."""

    url: str = key("URL of the folder with the files, at a pinned commit.")
    folder: str | None = key(
        "Local folder with the same files; null downloads them. Their sha256 is always checked.",
        default=None,
    )
    files: dict[str, Digest] = key("sha256 of each file, by its path in the folder.", min_length=1)
    vocabulary_size: Integer = key(
        "Vocabulary size V, to count the FLOPs of the vocabulary head.", ge=1
    )
    sequence_length: Integer = key(
        "Sequence length T, to count the FLOPs of attention.", unit="tokens", ge=1
    )
    sizes: dict[str, PublishedSize] = key(
        "Shape and N of each size, by the size's name in studies.", min_length=1
    )
    studies: dict[DomainName, Study] = key("The data sets of published runs.", min_length=1)
    validation_groups: dict[str, Annotated[list[str], Field(min_length=1)]] = key(
        "Groups of validation domains; each domain is in one group.", min_length=1
    )
    figures: Figures = key(
        "Sizes, steps and settings of each figure; comments in experiments/paper.yaml explain them."
    )
    claims: list[Claim] = key(
        "Published numbers to compare with ours; each is a row of paper_verdicts.csv."
    )

    def problems(self) -> Iterator[Problem]:
        """Yield logs and sizes that a study names and the config lacks, and repeated claims."""
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
    """Every key of a config file with `published`, which trains nothing."""

    experiment: Name = key("Name of the experiment; results go to results/{experiment}/.")
    seed: Integer = key("Seed of random splits and bootstrap draws.", default=0, ge=0)
    uncertainty: Uncertainty = key(
        "The bootstrap over mixtures that gives the intervals.", default_factory=Uncertainty
    )
    compute_budget: ComputeBudget | None = optional(
        "Ask which size and tokens are best for a number of FLOPs. Absent means off."
    )
    published: Published = key(
        "The published logs, how to read them, and the settings of the figures."
    )
