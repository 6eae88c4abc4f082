"""Runs that start from a model: the kept weights of a run, or a Hugging Face folder."""

import json
import os
import signal
from dataclasses import replace

import pytest
import torch
from test_states import OFTEN, PROCESSES, saved_step, wait_for
from test_train import RUN, losses, make_corpus

from mixlaws.errors import DataError
from mixlaws.files import read_json
from mixlaws.runs.run import RUN_DEFAULTS
from mixlaws.training.batches import validation_windows
from mixlaws.training.initial import read_initial
from mixlaws.training.train import identity_of, train

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
SHAPE = {
    "vocab_size": 40,  # more than the text has: models from elsewhere pad their vocabulary
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
TYPES = {
    "gpt_neox": {"attention_dropout": 0.5, "hidden_dropout": 0.5},
    "llama": {"tie_word_embeddings": True},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
    "olmo2": {},
    "arcee": {"num_key_value_heads": 2},
}
CONTINUED = replace(RUN, learning_rate=1e-3, averaging_exponent=None, initial_rate=0.1)


def save_model(folder, kind="llama"):
    """Save a tiny model of one of the types, far from its initial weights."""
    config = transformers.AutoConfig.for_model(kind, **(SHAPE | TYPES[kind]))
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config)
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    return folder


def loss_by_transformers(folder, tokens):
    """Return the library's own loss of the validation windows of RUN."""
    windows = validation_windows(
        tokens, sequence_length=16, count=RUN.num_validation_windows, domain="a"
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        return model(input_ids=windows, labels=windows).loss.item()


@pytest.mark.parametrize("kind", list(TYPES))
def test_the_losses_before_training_are_those_of_transformers(tmp_path, kind):
    folder, corpus = save_model(tmp_path / "model", kind), make_corpus()
    initial = read_initial(folder)
    run = replace(CONTINUED, num_steps=2)
    result = train(run, corpus, checkpoints=tmp_path / "run", initial=initial)
    first = {row["validation_domain"]: row for row in result.losses if row["step"] == 0}
    for domain, row in first.items():
        expected = loss_by_transformers(folder, corpus.validation[domain].tokens)
        assert row["loss"] == pytest.approx(expected, abs=1e-5)
        assert row["tokens"] == 0
    assert list(first) == ["a", "b"]
    assert result.record["initial_weights"] == initial.sha256


def test_the_size_of_a_model_from_elsewhere_is_counted(tmp_path):
    initial = read_initial(save_model(tmp_path / "model", "llama"))
    run = replace(CONTINUED, num_steps=1)
    record = train(run, make_corpus(), checkpoints=tmp_path / "run", initial=initial).record
    # Per block: queries and outputs 2 * 16 * 16, one key and one value head 2 * 16 * 8, three
    # matrices of the feed-forward block 3 * 16 * 32, two norms; and the last norm.
    count = 2 * (512 + 256 + 1536 + 32) + 16
    assert record["num_params"] == count
    assert record["flops_per_token"] == 6 * (count + 40 * 16 + RUN.num_layers * 16 * 16)


def test_the_rate_of_a_model_from_elsewhere_is_not_scaled(tmp_path):
    from mixlaws.training.module import LanguageModel

    initial = read_initial(save_model(tmp_path / "model"))
    module = LanguageModel(CONTINUED, 32, initial=initial)
    (optimizer,), _ = module.configure_optimizers()
    assert {group["initial_lr"] for group in optimizer.param_groups} == {1e-3}
    counts = [sum(p.numel() for p in group["params"]) for group in optimizer.param_groups]
    assert sum(counts) == sum(p.numel() for p in module.model.parameters())
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1, 0.0]


def train_in_child(folder, model, results):
    long = replace(CONTINUED, num_steps=60)
    result = train(long, make_corpus(), checkpoints=folder, initial=read_initial(model), **OFTEN)
    results.write_text(json.dumps(losses(result)))


def test_a_killed_continuation_ends_with_the_same_bits(tmp_path):
    # Its dropout would draw other numbers after a kill.
    model = save_model(tmp_path / "model", "gpt_neox")
    train_in_child(tmp_path / "straight", model, tmp_path / "straight.json")
    for _ in range(2):
        before = saved_step(tmp_path / "killed")
        arguments = (tmp_path / "killed", model, tmp_path / "killed.json")
        child = PROCESSES.Process(target=train_in_child, args=arguments)
        child.start()
        wait_for(lambda goal=before + 10: saved_step(tmp_path / "killed") >= goal)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
    assert 0 < saved_step(tmp_path / "killed") < 60
    train_in_child(*arguments)
    assert (tmp_path / "killed.json").read_text() == (tmp_path / "straight.json").read_text()


@pytest.mark.parametrize("exponent", [10, None])
def test_a_run_starts_from_the_weights_on_which_the_base_was_measured(tmp_path, exponent):
    corpus, base = make_corpus(), replace(RUN, averaging_exponent=exponent)
    ended = train(base, corpus, checkpoints=tmp_path / "base", keep_weights=True)
    initial = read_initial(tmp_path / "base")
    run = replace(RUN, proportions={"a": 0.1, "b": 0.9}, seed=1)
    result = train(run, corpus, checkpoints=tmp_path / "run", initial=initial)
    last = [row["loss"] for row in ended.losses if row["step"] == 40]
    assert [row["loss"] for row in result.losses if row["step"] == 0] == last
    assert result.losses[-1]["loss"] < last[-1]  # nine tenths of b
    assert initial.sha256 == read_json(tmp_path / "base/weights.json")["sha256"]


def test_the_digest_of_the_weights_is_part_of_the_identity_and_nothing_else_is(tmp_path):
    corpus = make_corpus()
    plain = identity_of(RUN, corpus)
    assert {"initial_weights", "initial_rate"} & set(plain) == set()
    assert (RUN_DEFAULTS["initial_weights"], RUN_DEFAULTS["initial_rate"]) == ("", 0.0)
    assert identity_of(replace(RUN, initial_weights="ab"), corpus) == plain | {
        "initial_weights": "ab"
    }
    train(RUN, corpus, checkpoints=tmp_path / "base", keep_weights=True)
    states = tmp_path / "run"
    stop = replace(RUN, num_steps=8)
    train(stop, corpus, checkpoints=states, initial=read_initial(tmp_path / "base"))
    other = save_model(tmp_path / "model")
    assert read_initial(other).sha256 != read_initial(tmp_path / "base").sha256


def test_damaged_or_unfit_weights_are_refused(tmp_path):
    corpus = make_corpus()
    train(replace(RUN, num_steps=1), corpus, checkpoints=tmp_path / "base", keep_weights=True)
    initial = read_initial(tmp_path / "base")
    wider = replace(RUN, model_width=32)
    with pytest.raises(DataError, match=r"of another model: \d+ tensors differ, such as blocks"):
        train(wider, corpus, checkpoints=tmp_path / "run", initial=initial)
    (tmp_path / "base/weights.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match=r"weights.safetensors is damaged"):
        train(RUN, corpus, checkpoints=tmp_path / "run", initial=initial)
    with pytest.raises(DataError, match=r"holds neither weights.safetensors of a run nor a model"):
        read_initial(tmp_path)


def test_a_continued_model_is_kept_as_a_folder_that_continues(tmp_path):
    initial = read_initial(save_model(tmp_path / "model"))
    run, corpus = replace(CONTINUED, num_steps=4), make_corpus()
    result = train(run, corpus, checkpoints=tmp_path / "run", initial=initial, keep_weights=True)
    last = result.losses[-2]["loss"]
    expected = loss_by_transformers(tmp_path / "run/model", corpus.validation["a"].tokens)
    assert last == pytest.approx(expected, abs=1e-5)


def test_a_vocabulary_that_is_too_small_is_refused(tmp_path):
    initial = read_initial(save_model(tmp_path / "model"))
    corpus = replace(make_corpus(), vocabulary_size=41)
    with pytest.raises(DataError, match=r"has 40 tokens, but the text has 41\. Tokenize"):
        train(CONTINUED, corpus, checkpoints=tmp_path / "run", initial=initial)
