"""Draw blocks of tokens as litgpt.json says, and print how many came from each folder.

Runs in an environment of its own, which has LitData and not mixlaws: PYTHON draw_litdata.py RECIPE
NUM_DRAWS, in an empty folder. The data are made here: every token of a domain is its number.
"""

import json
import math
import sys
from functools import partial
from pathlib import Path

import torch
from litdata import CombinedStreamingDataset, StreamingDataLoader, StreamingDataset, optimize
from litdata.streaming import TokensLoader

BLOCK, BATCH = 4, 100


def tokens(number, num_blocks):
    return torch.full((BLOCK * num_blocks,), number, dtype=torch.int32)


def write(number, folder, num_blocks):
    """Write as many blocks of one domain as draws may need."""
    optimize(
        partial(tokens, num_blocks=num_blocks),
        inputs=[number],
        output_dir=str(folder),
        chunk_bytes="64MB",
        num_workers=1,
        item_loader=TokensLoader(),
        verbose=False,
    )


def draw(recipe, num_draws):
    """Return how many blocks of each folder the first draws have."""
    datasets = [
        StreamingDataset(
            input_dir=folder,
            item_loader=TokensLoader(block_size=BLOCK),
            shuffle=True,
            drop_last=True,
        )
        for folder in recipe["input_dirs"]
    ]
    combined = CombinedStreamingDataset(
        datasets,
        seed=42,
        weights=recipe["weights"],
        iterate_over_all=recipe["iterate_over_all"],
    )
    loader = StreamingDataLoader(combined, batch_size=BATCH, num_workers=0, drop_last=True)
    counts = torch.zeros(len(datasets), dtype=torch.long)
    for number, batch in enumerate(loader, start=1):
        assert (batch == batch[:, :1]).all()  # a block has the tokens of one domain
        counts += torch.bincount(batch[:, 0].long(), minlength=len(datasets))
        if number == num_draws // BATCH:
            return counts.tolist()
    raise SystemExit(f"a folder ended after {counts.sum()} draws")


if __name__ == "__main__":
    recipe, num_draws = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    for number, folder in enumerate(recipe["input_dirs"]):
        needed = 1.02 * recipe["weights"][number] * num_draws + 50
        # With drop_last, LitData leaves out what does not fill a batch of its own.
        write(number, folder, BATCH * math.ceil(1 + needed / BATCH))
    print(json.dumps(draw(recipe, num_draws)))
