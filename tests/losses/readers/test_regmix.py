"""The reader of RegMix, on small tables written here and on the published pair."""

import pandas as pd
import pytest
from own_tables import options

from mixlaws.errors import DataError
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.stage import read_swarm
from mixlaws.losses.swarm import Swarm


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
    files = {
        "mixtures": str(tmp_path / "train_mixture_1m.csv"),
        "losses": str(tmp_path / "train_pile_loss_1m.csv"),
    }
    for path, table in zip(files.values(), (shares, losses), strict=True):
        pd.DataFrame(table).to_csv(path, index=False)
    return read_swarm(options(files, reader="regmix"))


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
    with pytest.raises(DataError, match=r"lacks the mixtures mix-003 of train_pile_loss_1m.csv"):
        regmix(tmp_path, indices=(1, 3))


def test_shares_off_by_more_than_rounding_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"rounding of their digits \(0.01\), the worst to 1.04"):
        regmix(tmp_path, github=0.34)


def test_the_published_pair(published):
    folder = published / "regmix"
    files = {
        "mixtures": str(folder / "train_mixture_1m.csv"),
        "losses": str(folder / "train_pile_loss_1m.csv"),
    }
    swarm = read_swarm(options(files, reader="regmix"))
    found = make_observations(swarm)
    assert (found.losses.shape, len(found.domains)) == ((512, 13), 17)
    assert swarm.num_params == {"1M": 1e6}
    table = pd.read_csv(files["losses"], index_col="index")
    assert (found.losses == table.to_numpy()).all()
    assert swarm.remarks == (
        "The shares of 303 of 512 mixtures were rounded and are rescaled to sum to 1; the largest "
        "error of a sum was 0.004.",
    )
