import numpy as np
import pandas as pd
import pytest

from mixlaws.errors import DataError
from mixlaws.files import file_sha256, write_json
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import make_observations, schedule_of
from mixlaws.losses.collect import join_losses, verify_losses
from mixlaws.losses.experiment import check_schedule, make_target
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import LOSS_COLUMNS, mixture_table, read_losses
from mixlaws.mixtures.lattice import Mixture
from mixlaws.runs.schedules import Cosine
from mixlaws.tables import read_table, write_table


def loss_table(mixtures=("mix-001", "uniform"), steps=(10, 20), domains=("web", "code")):
    rows = [
        {
            "size": "25K",
            "mixture": mixture,
            "seed": 0,
            "step": step,
            "tokens": step * 64,
            "validation_domain": domain,
            "loss": 3 + 0.1 * i + 0.01 * step + 0.001 * len(domain),
            "accuracy": 0.2,
            "bits_per_byte": 1.5,
        }
        for i, mixture in enumerate(mixtures)
        for step in steps
        for domain in domains
    ]
    return pd.DataFrame(rows)


def run_table(mixtures=("mix-001", "uniform")):
    return pd.DataFrame(
        {
            "size": "25K",
            "mixture": list(mixtures),
            "seed": 0,
            "num_params": 25_000,
            "vocabulary_size": 100,
            "flops_per_token": 600_000,
            "tokens": 1280,
        }
    )


def mixtures():
    sample = Mixture("mix-001", "sample", {"web": 0.75, "code": 0.25})
    return mixture_table([sample, Mixture("uniform", "baseline", {"web": 0.5, "code": 0.5})])


def observe(losses, runs):
    return make_observations(Swarm(losses, runs, mixtures()))


def test_digests_of_digits_stay_text(tmp_path):
    path = tmp_path / "runs.csv"
    digests = ["12345e678901", "000000000012"]
    run_table().assign(text_fingerprint=digests).to_csv(path, index=False)
    assert read_table(path, ["text_fingerprint"])["text_fingerprint"].tolist() == digests


def test_tables_become_arrays_joined_by_name():
    observations = observe(loss_table().sample(frac=1, random_state=0), run_table()[::-1])
    assert observations.domains == ("web", "code")
    assert len(observations) == 4
    assert observations.mixture.tolist() == ["mix-001"] * 2 + ["uniform"] * 2
    assert observations.proportions.tolist() == [[0.75, 0.25]] * 2 + [[0.5, 0.5]] * 2
    web = observations.validation_domains.index("web")
    assert observations.losses[:, web] == pytest.approx([3.103, 3.203, 3.203, 3.303])
    assert (observations.compute_params == 100_000).all()
    assert (observations.effective_tokens == observations.tokens).all()
    assert observations.select(observations.step == 20).tokens.tolist() == [1280, 1280]


def cosine_runs(**change):
    settings = {"schedule": "cosine", "warmup_steps": 2, "schedule_horizon": 40.0}
    settings |= {"final_rate": 0.1, "decay_share": 0.2, "num_steps": 20, "batch_tokens": 64}
    return run_table().assign(**(settings | change))


def test_the_state_of_a_cosine_reaches_the_laws():
    observations = observe(loss_table(), cosine_runs())
    effective, annealing = Cosine(2, 40, 0.1).state([10, 20], 64)
    assert observations.effective_tokens.tolist() == pytest.approx([*effective, *effective])
    assert observations.annealing.tolist() == pytest.approx([*annealing, *annealing])
    assert observations.annealing[1] == pytest.approx(0.4128, abs=1e-4)
    assert observations.tokens.tolist() == [640, 1280, 640, 1280]


def test_a_schedule_without_a_horizon_ends_with_the_run():
    runs = cosine_runs(schedule="wsd", schedule_horizon=np.nan, final_rate=0.0)
    observations = observe(loss_table(), runs)
    assert observations.annealing.tolist() == pytest.approx([0.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": ["constant", "cosine"]},
        {"schedule_horizon": [40, 80]},
        {"warmup_steps": [2, 3]},
    ],
)
def test_runs_of_several_schedules_are_refused(change):
    with pytest.raises(DataError, match=r"the runs have 2 learning-rate schedules"):
        observe(loss_table(), cosine_runs(**change))


def test_the_target_has_the_schedule_of_the_runs():
    target = {
        "num_layers": 2,
        "model_width": 32,
        "num_heads": 2,
        "sequence_length": 8,
        "tokens": 40 * 64,
        "batch_tokens": 64,
        "schedule": "cosine",
        "warmup_steps": 2,
        "schedule_horizon": 40,
        "final_rate": 0.1,
        "decay_share": 0.2,
    }
    found = make_target(target, 100)
    assert found.annealing == pytest.approx(0.9)
    assert found.effective_tokens == pytest.approx(Cosine(2, 40, 0.1).state([40], 64)[0][0])
    trained = schedule_of(cosine_runs())
    check_schedule(trained, target)
    with pytest.raises(DataError, match=r"differ in schedule_horizon \(40.0, target 80\)"):
        check_schedule(trained, target | {"schedule_horizon": 80})
    with pytest.raises(DataError, match=r"differ in schedule \(cosine, target constant\)"):
        check_schedule(trained, {"schedule": "constant"})
    neox = make_target(target | {"layout": "neox", "schedule": "constant"}, 100)
    assert (neox.num_params, neox.annealing) == (2 * (12 * 32**2 + 13 * 32) + 64, 0.0)


def test_losses_survive_the_files_to_the_last_bit(tmp_path):
    table = loss_table()
    table["loss"] += np.random.default_rng(0).random(len(table))
    write_table(table, tmp_path / "a.csv")
    write_table(join_losses([tmp_path / "a.csv"]), tmp_path / "all.parquet")
    again = read_losses(tmp_path / "all.parquet")
    assert sorted(again["loss"]) == sorted(table["loss"])


def test_repeated_and_broken_rows_are_refused(tmp_path):
    table = loss_table()
    write_table(pd.concat([table, table[:1]]), tmp_path / "twice.csv")
    with pytest.raises(DataError, match=r"1 rows of .*twice.csv repeat the size, mixture"):
        read_losses(tmp_path / "twice.csv")
    table.loc[0, "loss"] = np.nan
    write_table(table, tmp_path / "nan.csv")
    with pytest.raises(DataError, match=r"1 losses in .*nan.csv are not finite"):
        read_losses(tmp_path / "nan.csv")
    write_table(table.drop(columns="tokens"), tmp_path / "short.csv")
    with pytest.raises(DataError, match=r"Columns are missing in .*short.csv: tokens"):
        read_losses(tmp_path / "short.csv")


def test_weights_must_name_measured_domains():
    assert Columns.of({"b": 1.0}, ["a", "b"]).weights.tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match=r"on the weighted validation domains c, d. Correct"):
        Columns.of({"c": 0.5, "d": 0.5}, ["a", "b"])


def write_run(folder, **record):
    write_table(loss_table(), folder / "losses.csv")
    digest = {"losses_sha256": file_sha256(folder / "losses.csv")}
    write_json(digest | record, folder / "run.json")
    return folder / "losses.csv", folder / "run.json"


def test_changed_loss_files_are_all_named(tmp_path):
    files = [write_run(tmp_path / name) for name in ("a", "b", "c")]
    losses, records = zip(*files, strict=True)
    verify_losses(losses, records)
    for path in (losses[0], losses[2]):
        path.write_text(path.read_text().replace("3.1", "3.7", 1))
    with pytest.raises(
        DataError, match=r"2 loss files changed .* beside .*a/losses.csv, .*c/losses.csv. "
    ):
        verify_losses(losses, records)


def test_no_flipped_bit_of_a_parquet_table_gives_another_number(tmp_path):
    path = tmp_path / "losses.parquet"
    steps = range(10, 2000, 10)
    write_table(loss_table(steps=steps), path)
    table, content = read_table(path, LOSS_COLUMNS), path.read_bytes()
    draw = np.random.default_rng(0)
    caught = 0
    for place in draw.integers(len(content), size=200):
        flipped = bytearray(content)
        flipped[place] ^= 1 << draw.integers(8)
        path.write_bytes(flipped)
        try:
            assert read_table(path, LOSS_COLUMNS).equals(table)
        except DataError as error:
            caught += "losses.parquet" in str(error)
    assert caught >= 150
