"""Next-token accuracy on a model whose predictions are known."""

import math

import pytest
import torch

from mixlaws.runs.shapes import Shape
from mixlaws.training.model import Transformer
from mixlaws.training.module import measure

VOCABULARY = 16
WINDOWS = torch.tensor(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8],  # every next token is the one that the model predicts
        [0, 1, 2, 9, 10, 0, 1, 5, 6],  # 5 of 8 are: 0-1, 1-2, 9-10, 0-1, 5-6
        [3, 3, 3, 3, 3, 3, 3, 3, 3],  # none is
    ]
)


def successor_model():
    """A model that predicts token t + 1 after token t: its blocks add nothing, its head shifts."""
    shape = Shape(1, VOCABULARY, 2)
    model = Transformer(shape, vocabulary_size=VOCABULARY, sequence_length=8, tied=False)
    with torch.no_grad():
        for parameter in model.blocks.parameters():
            parameter.zero_()
        model.embedding.weight.copy_(torch.eye(VOCABULARY))
        model.head.weight.copy_(torch.eye(VOCABULARY).roll(1, dims=0))
    return model.eval()


def test_accuracy_counts_the_next_tokens_that_are_predicted():
    model = successor_model()
    assert model(torch.tensor([[4, 9]])).argmax(dim=-1).tolist() == [[5, 10]]
    loss, hits = measure(model, WINDOWS).tolist()
    assert hits == 8 + 5
    # The norm scales a row of the identity to sqrt(V): one logit is that, all others are 0.
    peak = math.sqrt(VOCABULARY)
    of_hit = math.log(math.exp(peak) + VOCABULARY - 1) - peak
    assert loss == pytest.approx(13 * of_hit + 11 * (of_hit + peak), rel=1e-4)


@pytest.mark.parametrize("row", [0, 1, 2])
def test_accuracy_adds_up_over_windows(row):
    model = successor_model()
    parts = sum(measure(model, WINDOWS[[i]]) for i in range(3))
    torch.testing.assert_close(parts, measure(model, WINDOWS))
    assert measure(model, WINDOWS[[row]])[1].item() == [8, 5, 0][row]
