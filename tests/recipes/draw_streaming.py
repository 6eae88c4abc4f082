"""Draw samples as mosaicml_streaming.yaml says, and print how many came from each stream.

Runs in an environment of its own, which has MosaicML Streaming and not mixlaws: PYTHON
draw_streaming.py RECIPE NUM_DRAWS, in an empty folder. The data are made here: every token of a
domain is its number. Of each domain there are fewer samples than draws, so that it is repeated.
"""

import json
import sys
from pathlib import Path

import numpy as np
import yaml
from streaming import MDSWriter, Stream, StreamingDataset
from torch.utils.data import DataLoader

LENGTH, SAMPLES, BATCH = 4, 500, 100


def write(number, folder):
    """Write the packed sequences of one domain."""
    with MDSWriter(out=folder, columns={"tokens": "ndarray:int32"}, size_limit=4000) as writer:
        for _ in range(SAMPLES):
            writer.write({"tokens": np.full(LENGTH, number, dtype=np.int32)})


def draw(recipe, num_draws):
    """Return how many samples of each stream the first half of an epoch has, and the epoch."""
    dataset = StreamingDataset(
        streams=[Stream(**stream) for stream in recipe["streams"].values()],
        epoch_size=num_draws,
        batch_size=BATCH,
        shuffle=True,
    )
    counts = np.zeros(len(recipe["streams"]), dtype=int)
    for number, batch in enumerate(DataLoader(dataset, batch_size=BATCH), start=1):
        tokens = batch["tokens"].numpy()
        assert (tokens == tokens[:, :1]).all()  # a sample has the tokens of one domain
        counts += np.bincount(tokens[:, 0], minlength=len(counts))
        if number == num_draws // BATCH // 2:
            half = counts.tolist()
    return {"half": half, "epoch": counts.tolist()}


if __name__ == "__main__":
    recipe = yaml.safe_load(Path(sys.argv[1]).read_text())
    for number, stream in enumerate(recipe["streams"].values()):
        write(number, stream["local"])
    print(json.dumps(draw(recipe, int(sys.argv[2]))))
