from dataclasses import replace

import numpy as np
import pytest
import torch

from mixlaws.data import Corpus, TokenFile
from mixlaws.errors import DataError
from mixlaws.evaluation import evaluation_steps
from mixlaws.model import Transformer
from mixlaws.plan import Run
from mixlaws.sizes import Shape
from mixlaws.training import train

RUN = Run(
    size="tiny",
    mixture="mix-001",
    seed=0,
    proportions={"a": 0.75, "b": 0.25},
    num_layers=1,
    model_width=16,
    num_heads=2,
    num_steps=40,
    batch_size=4,
    sequence_length=16,
    learning_rate=0.0024,
    embedding_learning_rate=0.05,
    warmup_steps=5,
    weight_decay=0.1,
    gradient_clip_norm=1.0,
    averaging_exponent=10,
    num_evaluations=4,
    first_evaluation=0.2,
    num_validation_windows=8,
    max_epochs=4,
)


def make_corpus(num_tokens=4000):
    """Two domains, each a noisy cycle over its own half of the vocabulary."""
    generator = np.random.default_rng(0)

    def file(offset, count):
        ids = (np.arange(count) * 3 + generator.integers(0, 2, count)) % 16 + offset
        return TokenFile(ids.astype(np.uint16), sha256=f"{offset}-{count}", bytes_per_token=2.0)

    return Corpus(
        train={"a": file(0, num_tokens), "b": file(16, num_tokens)},
        validation={"a": file(0, 400), "b": file(16, 400)},
        vocabulary_size=32,
    )


def losses(result):
    return [(row["step"], row["validation_domain"], row["loss"]) for row in result.losses]


@pytest.mark.parametrize(
    ("layers", "width", "heads"), [(2, 32, 2), (2, 48, 2), (2, 64, 2), (3, 96, 4)]
)
def test_parameter_count_equals_the_closed_form(layers, width, heads):
    shape = Shape(layers, width, heads)
    model = Transformer(shape, vocabulary_size=100, sequence_length=8)
    assert model.num_non_embedding_params() == shape.num_params
    assert shape.num_params == layers * (12 * width**2 + 2 * width) + width


def test_flops_per_token_follow_the_stated_convention():
    # The 70M row of reference numbers: L 6, d 512, V 50304, T 2048 -> 0.306 GFLOP.
    flops = Shape(6, 512, 8).flops_per_token(vocabulary_size=50304, sequence_length=2048)
    assert flops == 6 * (12 * 6 * 512**2 + 50304 * 512) + 6 * 6 * 2048 * 512
    assert flops / 1e9 == pytest.approx(0.306, abs=5e-4)


def test_attention_is_causal():
    model = Transformer(Shape(2, 32, 2), vocabulary_size=50, sequence_length=12)
    ids = torch.randint(0, 50, (1, 12))
    changed = ids.clone()
    changed[0, 8:] = (changed[0, 8:] + 1) % 50
    before, after = model(ids)[0, :8], model(changed)[0, :8]
    assert torch.equal(before, after)


def test_evaluation_steps_are_log_spaced_and_end_at_the_last():
    assert evaluation_steps(600, 8, 0.1) == [60, 83, 116, 161, 224, 311, 432, 600]
    assert evaluation_steps(3, 8, 0.1) == [1, 2, 3]


def test_losses_are_bit_identical_from_run_to_run(tmp_path):
    first = train(RUN, make_corpus(), checkpoints=tmp_path / "a", every_seconds=1e9)
    second = train(RUN, make_corpus(), checkpoints=tmp_path / "b", every_seconds=1e9)
    assert losses(first) == losses(second)
    assert first.record == second.record
    assert sorted({row["step"] for row in first.losses}) == [8, 14, 23, 40]
    assert first.losses[-1]["loss"] < first.losses[0]["loss"] < np.log(32) + 0.5
    other = train(replace(RUN, seed=1), make_corpus(), checkpoints=tmp_path, every_seconds=1e9)
    assert losses(other) != losses(first)


def test_the_record_accounts_for_every_token(tmp_path):
    record = train(RUN, make_corpus(), checkpoints=tmp_path, every_seconds=1e9).record
    assert sum(record["realised_tokens"].values()) == record["tokens"] == 40 * 4 * 16
    assert record["intended_tokens"] == {"a": 1920.0, "b": 640.0}
    sd = np.sqrt(160 * 0.75 * 0.25) * 16
    assert abs(record["realised_tokens"]["a"] - 1920) < 4 * sd
    assert record["flops"] == record["flops_per_token"] * record["tokens"]


def test_the_share_of_a_domain_lowers_its_loss(tmp_path):
    def final(share):
        run = replace(RUN, proportions={"a": share, "b": 1 - share})
        rows = train(run, make_corpus(), checkpoints=tmp_path, every_seconds=1e9).losses
        return {row["validation_domain"]: row["loss"] for row in rows[-2:]}

    low, high = final(0.1), final(0.9)
    assert high["a"] < low["a"]
    assert high["b"] > low["b"]


def test_too_many_epochs_are_refused_before_training(tmp_path):
    run = replace(RUN, max_epochs=0.5)
    with pytest.raises(DataError, match=r"domain 'a' has 2,000 training tokens, but mix-001 at"):
        train(run, make_corpus(2000), checkpoints=tmp_path, every_seconds=1e9)
