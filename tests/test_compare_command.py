"""`mixlaws compare-laws`: what it prints and writes for tables and for folders of results."""

import sys

import numpy as np
import pandas as pd
import pytest
from own_tables import grid_mixtures, grid_table, options, write

from mixlaws import __main__
from mixlaws.files import read_json, write_json
from mixlaws.losses.stage import read_swarm


def run(monkeypatch, capsys, *arguments):
    """Return the exit status, what was printed, and the errors."""
    monkeypatch.setattr("sys.argv", ["mixlaws", "compare-laws", *map(str, arguments)])
    status = __main__.main()
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.fixture
def tables(tmp_path):
    """Return the options for tables of 12 mixtures with losses that are linear in the shares."""
    shares = np.linspace(0, 1, 12)
    ids = [f"mix-{place:02d}" for place in range(12)]
    losses = [
        {"mixture": name, "validation_domain": domain, "loss": 2.0 + slope * share}
        for name, share in zip(ids, shares, strict=True)
        for domain, slope in (("web", -0.5), ("code", 1.0))
    ]
    files = write(
        tmp_path,
        pd.DataFrame(losses),
        pd.DataFrame({"id": ids, "web": shares, "code": 1 - shares}),
    )
    return ["--losses", files["losses"], "--mixtures", files["mixtures"], "--size", "70M",
            "--tokens", "1B"]  # fmt: skip


def test_it_prints_a_table_in_markdown(tables, monkeypatch, capsys):
    """The mean of all others is off by 12/11 of the distance from the mean."""
    options = ["--laws", "mean,linear,bimix", "--weights", "web=0.5,code=0.5"]
    status, printed, _ = run(monkeypatch, capsys, *tables, *options)
    assert status == 0
    lines = printed.splitlines()
    assert lines[0] == f"### {tables[1]}: 12 mixtures of 2 domains"
    assert lines[2] == "Size 70M, 1B tokens; each mixture left out in turn; weights as stated."
    assert len({len(line) for line in lines[4:9]}) == 1  # aligned
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:9]]
    assert table[0] == [
        *("law", "MAE", "R2", "rank", "regret", "MAE of domains", "rank of domains", "CPU s"),
    ]
    assert table[2][:-1] == [
        "linear",
        *("0.0000", "1.0000", "1.0000", "0.0000"),
        "0.0000",
        "1.0000",
    ]
    # 12/11 of the mean of |share - 1/2| over the 12 shares, 3/11, times a slope of 1/4; a mixture
    # drawn at random is half of the range above the best; R2 is 1 - (12/11)^2.
    error = 12 / 11 * 3 / 11
    assert table[3][:-1] == [
        *("mean", f"{error / 4:.4f}", f"{1 - (12 / 11) ** 2:.4f}", "-", f"{0.5 / 4:.4f}"),
        *(f"{error * 0.75:.4f}", "-"),
    ]
    assert table[4][0] == "bimix"  # no power of a share has the loss of a share of 0
    assert lines[-1].startswith("MAE and regret are in nats, of the overall loss.")


def test_folds_seed_and_csv(tables, tmp_path, monkeypatch, capsys):
    options = ["--laws", "linear,mean", "--folds", "3", "--seed", "7"]
    _, printed, _ = run(monkeypatch, capsys, *tables, *options, "--csv", tmp_path / "scores.csv")
    assert "3 folds, seed 7; equal weights." in printed
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table) == [
        *("swarm", "law", "fold", "size", "tokens", "validation_domain", "num_mixtures"),
        *("mae", "r2", "spearman", "regret", "seconds"),
    ]
    assert table["validation_domain"].tolist() == ["web", "code", "overall"] * 2
    assert table.loc[table["law"] == "linear", "mae"].max() < 1e-12
    _, printed, _ = run(monkeypatch, capsys, *tables, "--laws", "mean", "--folds", "3")
    assert "3 folds, in the order of their ids; equal weights." in printed


def test_folders_of_results_have_their_weights_and_leave_held_out_mixtures_out(
    tmp_path, monkeypatch, capsys
):
    mixtures = pd.concat([grid_mixtures().assign(id=lambda t, p=part: t["id"] + p)
                          for part in ("1", "2")])  # fmt: skip
    losses = pd.concat([grid_table().assign(mixture=lambda t, p=part: t["mixture"] + p)
                        for part in ("1", "2")])  # fmt: skip
    mixtures["kind"] = ["held-out", *["sample"] * 11]
    files = write(tmp_path, losses, mixtures)

    folder = tmp_path / "results/own"
    read_swarm(options(files)).save(folder)
    arguments = [folder, "--laws", "mean"]
    _, printed, _ = run(monkeypatch, capsys, *arguments)
    assert "own: 11 mixtures of 2 domains\n\nSize 64M, 320K tokens" in printed
    record = read_json(folder / "study.json")
    assert record["weights"] == []
    assert "; equal weights." in printed
    write_json({"weights": {"web": 1.0, "code": 0.0}}, folder / "import.json")
    _, weighted, _ = run(monkeypatch, capsys, *arguments)
    assert "; weights as stated." in weighted
    assert weighted != printed
    write_json({"objective": {"weights": {"web": 0.0, "code": 1.0}}}, folder / "optimum.json")
    (folder / "import.json").unlink()
    _, decided, _ = run(monkeypatch, capsys, *arguments)
    assert decided not in (weighted, printed)


def test_what_cannot_be_scored_is_named_below_the_table(tables, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    status, printed, _ = run(monkeypatch, capsys, *tables, "--laws", "mean,lightgbm")
    assert status == 0
    assert printed.split("\n\n")[3:5] == [
        "Not scored:",
        "- lightgbm: the comparator lightgbm needs the package lightgbm, which is not installed: "
        "pip install 'mixlaws[comparators]', or leave it out.",
    ]


def test_two_swarms_one_after_the_other(tables, tmp_path, monkeypatch, capsys):

    (tmp_path / "other").mkdir()
    losses = grid_table().assign(mixture=lambda t: t["mixture"] + "1")
    more = grid_table().assign(loss=lambda t: t["loss"] + 0.1)
    mixtures = pd.concat([grid_mixtures(), grid_mixtures().assign(id=lambda t: t["id"] + "1")])
    files = write(tmp_path / "other", pd.concat([losses, more]), mixtures)
    read_swarm(options(files)).save(tmp_path / "other")
    _, printed, _ = run(monkeypatch, capsys, tmp_path / "other", *tables, "--laws", "mean")
    heads = [line for line in printed.splitlines() if line.startswith("###")]
    assert [head.split(": ")[1] for head in heads] == ["12 mixtures of 2 domains"] * 2
    assert printed.count("MAE and regret are in nats") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to compare laws on. Name folders such as results/NAME, or two"),
        (["--losses", "a.csv"], "--losses and --mixtures name two tables of one swarm: state both"),
        (["nowhere"], "There is no file nowhere/losses.parquet"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, message, monkeypatch, capsys):
    status, _, errors = run(monkeypatch, capsys, *arguments)
    assert status == 1
    assert errors.startswith(message)
    assert errors.count("\n") == 1


def test_the_published_pair_of_regmix(published, monkeypatch, capsys, tmp_path):
    """8 folds of 512 mixtures; the numbers of docs/measurements.md."""
    files = [published / f"regmix/train_{name}_1m.csv" for name in ("pile_loss", "mixture")]
    options = ["--reader", "regmix", "--losses", files[0], "--mixtures", files[1], "--csv",
               tmp_path / "scores.csv", "--laws", "additive,exponential,bimix,linear"]  # fmt: skip
    _, printed, _ = run(monkeypatch, capsys, *options)
    assert "512 mixtures of 17 domains\n\nSize 1M, 1B tokens; 8 folds, in the order" in printed
    table = pd.read_csv(tmp_path / "scores.csv").set_index(["law", "validation_domain"])
    errors = {"additive": 0.0429, "exponential": 0.1091, "bimix": 0.1761, "linear": 0.2244}
    for law, error in errors.items():
        assert table.loc[(law, "overall"), "mae"] == pytest.approx(error, abs=0.0005)
    assert table.loc[("additive", "pile_cc"), "spearman"] >= 0.985
