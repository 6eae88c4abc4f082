from dataclasses import fields

import numpy as np
import pytest
import torch

from mixlaws.errors import DataError
from mixlaws.files import write_json
from mixlaws.mixtures.designs import Design, choose_mixtures
from mixlaws.runs.lengths import num_windows
from mixlaws.text.tokens import Manifest
from mixlaws.training.batches import BatchPlan, BatchStream, Slice, read_windows, validation_windows
from mixlaws.training.corpus import resolve_proportions

WINDOWS = {"web": 500, "code": 300, "books": 40}
PROPORTIONS = {"web": 0.5, "code": 0.375, "books": 0.125}


def make_plan(proportions=PROPORTIONS, num_steps=400, **other):
    arguments = {"batch_size": 8, "seed": 3} | other
    return BatchPlan(proportions, WINDOWS, num_steps=num_steps, **arguments)


def write_manifest(path, domain, num_tokens):
    """Write the manifest of a training split of this many tokens."""
    values = {field.name: 0 for field in fields(Manifest)}
    digests = [name for name in values if name.endswith(("sha256", "digest"))]
    known = {"domain": domain, "split": "train", "num_tokens": num_tokens, "dtype": "uint16"}
    known |= {"num_bytes": 4 * num_tokens, "text_bytes_before_cap": 4 * num_tokens}
    write_json(values | dict.fromkeys(digests, "") | known, path)
    return path


def test_a_batch_is_a_function_of_seed_and_step_only():
    plan, again = make_plan(), make_plan()
    late = again.batch(399)
    assert [plan.batch(step) for step in range(400)][399] == late
    assert make_plan(num_steps=50).batch(49) == plan.batch(49)
    assert make_plan(seed=4).batch(0) != plan.batch(0)


def test_realised_proportions_are_within_binomial_error():
    num_steps = 5000
    draws = make_plan(num_steps=num_steps).num_draws()
    total = num_steps * 8
    for domain, share in PROPORTIONS.items():
        sd = np.sqrt(share * (1 - share) / total)
        assert abs(draws[domain] / total - share) < 4 * sd


def test_draws_match_the_batches():
    plan = make_plan()
    counted = dict.fromkeys(WINDOWS, 0)
    for step in range(400):
        for domain, _ in plan.batch(step):
            counted[domain] += 1
    assert counted == plan.num_draws()


def test_every_window_is_seen_once_per_epoch():
    plan = make_plan()
    books = [w for step in range(400) for domain, w in plan.batch(step) if domain == "books"]
    epochs = len(books) // 40
    assert epochs >= 9
    for epoch in range(epochs):
        assert sorted(books[epoch * 40 : (epoch + 1) * 40]) == list(range(40))
    assert books[:40] != books[40:80]
    assert plan.epochs()["books"] == pytest.approx(len(books) / 40)


def test_mixtures_share_their_random_numbers():
    """The k-th draw of a domain is the same window in every mixture."""
    other = make_plan({"web": 0.25, "code": 0.25, "books": 0.5})

    def order(plan, domain):
        return [w for step in range(100) for d, w in plan.batch(step) if d == domain]

    for domain in WINDOWS:
        first, second = order(make_plan(), domain), order(other, domain)
        shared = min(len(first), len(second))
        assert shared > 10
        assert first[:shared] == second[:shared]


def test_a_hundred_equal_domains_all_get_windows():
    names = [f"d{i:02d}" for i in range(100)]
    limits = dict.fromkeys(names, (0.0, 1.0))
    design = Design("dirichlet", count=1, num_held_out=0, lattice=64, limits=limits, seed=0)
    uniform = choose_mixtures(design)[-1].proportions
    windows = dict.fromkeys(names, 1000)
    draws = BatchPlan(uniform, windows, batch_size=8, num_steps=5000, seed=0).num_draws()
    expected = 8 * 5000 / 100
    assert all(abs(count - expected) < 5 * np.sqrt(expected) for count in draws.values())


def test_natural_shares_are_those_of_the_text(tmp_path):
    sizes = {"web": 70_001, "code": 1}
    paths = [write_manifest(tmp_path / f"{name}.json", name, n) for name, n in sizes.items()]
    shares = resolve_proportions("natural", paths)
    assert shares == {"web": 70_001 / 70_002, "code": 1 / 70_002}


def test_a_domain_with_a_zero_share_is_never_drawn():
    plan = make_plan({"web": 0.0, "code": 1.0, "books": 0.0})
    assert plan.num_draws() == {"web": 0, "code": 3200, "books": 0}


def test_windows_predict_each_token_once():
    tokens = np.arange(21, dtype=np.uint16)
    assert num_windows(len(tokens), 5) == 4
    rows = read_windows(tokens, np.array([0, 1, 3]), 5)
    assert rows.tolist() == [[0, 1, 2, 3, 4, 5], [5, 6, 7, 8, 9, 10], [15, 16, 17, 18, 19, 20]]
    assert num_windows(5, 5) == 0


def test_the_stream_goes_on_from_any_step():
    tokens = {d: np.arange(n * 4 + 1, dtype=np.uint16) for d, n in WINDOWS.items()}
    plan = make_plan(num_steps=20)
    whole = list(BatchStream(plan, tokens, 4, 20, lambda: Slice(0)))
    rest = list(BatchStream(plan, tokens, 4, 20, lambda: Slice(13)))
    assert len(whole) == 20
    assert whole[0].shape == (8, 5)
    assert all(torch.equal(a, b) for a, b in zip(whole[13:], rest, strict=True))


def test_a_validation_split_that_is_too_short_is_named():
    tokens = np.zeros(100, dtype=np.uint16)
    with pytest.raises(DataError, match=r"'rst' is too short: its 100 tokens hold 9 of 30 windows"):
        validation_windows(tokens, sequence_length=10, count=30, domain="rst")


def test_a_training_domain_without_a_window_is_named():
    with pytest.raises(DataError, match="'books' has fewer training tokens than one sequence"):
        BatchPlan(PROPORTIONS, WINDOWS | {"books": 0}, batch_size=8, num_steps=100, seed=0)
