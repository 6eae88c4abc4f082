"""Train the run of test_training on two processes: a script, for they start themselves again."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from test_train import RUN, losses, make_corpus  # noqa: E402

from mixlaws.training.train import trained  # noqa: E402

if __name__ == "__main__":
    settings = {"every_seconds": 0, "devices": 2, "micro_batch_size": 1}
    options = settings | {"strategy": sys.argv[2]}
    with trained(RUN, make_corpus(), checkpoints=sys.argv[1], **options) as result:
        print("FIRST", result.timing["first_step"], flush=True)
        for row in losses(result):
            print("LOSS", *row, flush=True)
        raise SystemExit(0)  # the states stay, as for a job that is stopped before it writes
