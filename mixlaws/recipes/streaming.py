"""MosaicML Streaming and LLM Foundry: one stream and its proportion per domain."""

from __future__ import annotations

import yaml

from mixlaws.recipes.mixture import DATA, DecidedMixture
from mixlaws.recipes.recipe import Recipe


def _text(mixture: DecidedMixture) -> str:
    # mosaicml-streaming 0.13.0, Stream.apply_weights: proportions are relative, and an epoch has
    # that share of each stream, rounded to whole samples by the same seed in every epoch.
    # mosaicml/llm-foundry at 801db4c2, llmfoundry/data/text_data.py, build_text_dataloader:
    # dataset.streams.NAME holds the arguments of one Stream.
    streams = {
        name: {"local": f"{DATA}/{name}", "proportion": share}
        for name, share in mixture.used.items()
    }
    return "# Shares of training tokens.\n" + yaml.safe_dump({"streams": streams}, sort_keys=False)


STREAMING = Recipe(
    "mosaicml_streaming.yaml",
    "MosaicML Streaming and LLM Foundry",
    "`StreamingDataset(streams=[Stream(**stream) for stream in recipe['streams'].values()], "
    "epoch_size=..., batch_size=..., shuffle=True)`, or `train_loader.dataset.streams` of LLM "
    "Foundry. It draws samples: give it packed sequences of one length. State an `epoch_size` of "
    "65,536 sequences or more, as those of the whole run: in a shorter epoch the smallest shares "
    "can be 0. Without `shuffle` the streams come one after the other. A domain is repeated if it "
    "has fewer sequences than its share.",
    _text,
)
