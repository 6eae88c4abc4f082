"""The reader of RegMix, on small tables written here."""

import pandas as pd
import pytest

from mixlaws.errors import DataError
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.readers import READERS
from mixlaws.losses.swarm import Swarm

OPTIONS = {"size": "1M", "num_params": 1_000_000, "step": 1000, "tokens": 10**9}


def regmix(tmp_path, indices=(1, 2), github=0.301):
    shares = {
        "index": [1, 2],
        "train_the_pile_arxiv": [0.2, 0.7],
        "train_the_pile_github": [0.8, github],
    }
    losses = {
        "index": indices,
        "metric/the_pile_pile_cc_val_loss": [5.0, 6.0],
        "metric/the_pile_arxiv_val_loss": [4.0, 3.0],
    }
    files = {"mixtures": tmp_path / "m.csv", "losses": tmp_path / "l.csv"}
    for path, table in zip(files.values(), (shares, losses), strict=True):
        pd.DataFrame(table).to_csv(path, index=False)
    return READERS["regmix"](OPTIONS, files)


def test_tables_are_joined_by_index(tmp_path):
    found = make_observations(regmix(tmp_path, indices=(2, 1)))
    assert found.domains == ("arxiv", "github")
    assert found.validation_domains == ("pile_cc", "arxiv")
    assert found.mixture.tolist() == ["mix-001", "mix-002"]
    assert found.losses.tolist() == [[6.0, 3.0], [5.0, 4.0]]
    assert found.proportions.sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-15)
    assert (found.num_params.tolist(), found.tokens.tolist()) == ([1e6] * 2, [1e9] * 2)
    assert (found.compute_params == found.num_params).all()


def test_a_swarm_of_regmix_survives_the_disk(tmp_path):
    regmix(tmp_path).save(tmp_path / "swarm")
    found = make_observations(Swarm.load(tmp_path / "swarm"))
    assert found.losses.tolist() == [[5.0, 4.0], [6.0, 3.0]]


def test_rows_of_only_one_table_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"\[2, 3\] are in only one of them. Take both files"):
        regmix(tmp_path, indices=(1, 3))


def test_shares_off_by_more_than_rounding_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"do not sum to 1 within 0.005: row 2: 1.1"):
        regmix(tmp_path, github=0.4)
