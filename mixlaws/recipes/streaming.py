"""MosaicML Streaming and LLM Foundry: one stream and its proportion per domain."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # mosaicml-streaming 0.13.0, Stream.apply_weights: proportions are relative, and an epoch has
    # that share of each stream, rounded to whole samples by the same seed in every epoch.
    # mosaicml/llm-foundry at 801db4c2, llmfoundry/data/text_data.py, build_text_dataloader:
    # dataset.streams.NAME holds the arguments of one Stream.
    record = {"streams": _streams(mixture.used)}
    head = "# streams: shares of training tokens, for packed sequences of one length.\n"
    if mixture.documents is None:
        listed = ", ".join(mixture.unmeasured)
        head += f"# Not for whole documents: the tokens per document of {listed} are not known.\n"
    else:
        head += (
            "# streams_of_documents: shares of documents, for samples that are whole documents.\n"
        )
        record["streams_of_documents"] = _streams(mixture.documents)
    return head + yaml.safe_dump(record, sort_keys=False)


def _streams(shares: Mapping[str, float]) -> dict[str, dict[str, str | float]]:
    return {
        name: {"local": f"{DATA}/{name}", "proportion": share} for name, share in shares.items()
    }


STREAMING = Recipe(
    "mosaicml_streaming.yaml",
    "MosaicML Streaming and LLM Foundry",
    "`StreamingDataset(streams=[Stream(**stream) for stream in recipe['streams'].values()], "
    "epoch_size=..., batch_size=..., shuffle=True)`, or `train_loader.dataset.streams` of LLM "
    "Foundry. It draws samples: packed sequences of one length, or with `streams_of_documents` "
    "whole documents. State an `epoch_size` of 65,536 sequences or more, as those of the whole "
    "run: in a shorter epoch the smallest shares can be 0. Without `shuffle` the streams come one "
    "after the other. A domain is repeated if it has fewer sequences than its share.",
    _text,
)
