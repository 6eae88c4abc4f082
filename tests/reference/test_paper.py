"""The paper's numbers from its published losses, by the procedures of `mixlaws.paper`."""

import numpy as np
import pytest
import yaml
from published_logs import ROOT, read_logs

from mixlaws.paper import extrapolation, forgetting, matching, measures, ranks, two_domains
from mixlaws.paper.forms import form_errors, form_summary
from mixlaws.paper.points import cross_section

CONFIG = yaml.safe_load((ROOT / "experiments/paper.yaml").read_text())["published"]
FIGURES, GROUPS = CONFIG["figures"], CONFIG["validation_groups"]


@pytest.fixture(scope="module")
def redpajama(published):
    return read_logs(published, "redpajama")


@pytest.fixture(scope="module")
def pipeline(redpajama):
    """Return algorithm 1 with few boosted laws: the tests of the workflow run all thirty."""
    settings = FIGURES["extrapolation"] | {"num_implicit": 3, "num_boosted": 10}
    return extrapolation.extrapolate(redpajama, GROUPS, settings)


def test_two_domain_laws_equal_the_notebook_within_two_percent(published):
    laws, points = two_domains.two_domain_laws(read_logs(published, "2mix"), FIGURES["two_domains"])
    claims = {claim["id"]: claim for claim in CONFIG["claims"]}
    measured = measures.of_two_domains(laws)
    assert measured.pop("two_domains.straight")
    assert len(measured) == 16
    for name, value in measured.items():
        assert value == pytest.approx(claims[name]["value"], rel=2e-3), name
    assert len(points) == 40
    assert laws["left_out_mae"].max() < 0.011


def test_forms_by_held_out_error(published):
    """M3 is worst; M1 and M2 beat M4 held out; the additive law beats all four."""
    table = form_errors(read_logs(published, "3mix"), FIGURES["forms"], 0)
    median = form_summary(table).pivot(
        index="form", columns="validation_domain", values="repeated_median"
    )
    assert (median.loc["M3"] >= median.loc[["M1", "M2", "M4"]].max()).all()
    assert (median.loc[["M1", "M2"]].min() < 0.7 * median.loc["M4"]).all()
    assert (median.loc["additive"] < median.loc[["M1", "M2", "M4"]].min()).all()


def test_the_sample_and_the_candidates(redpajama, pipeline):
    assert len(cross_section(redpajama, "70M", 30_000)) == 40
    grid = extrapolation.candidates(pipeline)
    shares = grid[[f"r_{domain}" for domain in redpajama.domains]].to_numpy()
    assert (len(grid), (shares == 0).any(axis=1).sum(), grid["sampled"].sum()) == (854, 721, 40)
    best = extrapolation.optima(pipeline, grid)
    exact = best[best["search"] == "exact"].iloc[0]
    assert exact["gap"] <= 1e-6
    assert exact["loss"] <= grid["exponential"].min() + 1e-9
    limits = FIGURES["extrapolation"]["limits"]
    assert all(exact[f"r_{domain}"] <= limit + 1e-9 for domain, limit in limits.items())


def test_algorithm_1_predicts_what_the_authors_predict_and_too_little(pipeline):
    """Within 0.06 of 2.5682; between 0.06 and 0.11 below what was observed."""
    table = extrapolation.target_predictions(pipeline).set_index(["law", "role", "panel"])
    for law in (extrapolation.BOOSTED, extrapolation.EXPONENTIAL):
        row = table.loc[(law, "optimised", "overall")]
        assert row["predicted"] == pytest.approx(2.5682, abs=0.06)
        assert 0.06 <= row["observed"] - row["predicted"] <= 0.11
    sampled = extrapolation.extrapolated_losses(pipeline)
    assert sampled.loc[sampled["loss"].idxmin(), "mixture"] == "mix-018"


def test_the_prediction_hangs_on_how_exponents_are_shared(pipeline):
    table = extrapolation.sharing_sensitivity(pipeline)
    assert len(table) == 20
    assert np.ptp(table["optimised"]) > 0.1
    assert (table["gain"] < 0).sum() >= 5
    free = table[table["size_exponents"] == "free"]
    assert free["size_exponent"].max() < 0.12


def test_steps_to_match_and_how_fragile_they_are(redpajama):
    table = matching.steps_to_match(redpajama, FIGURES["matching"], 0, 0.9)
    first = measures.of_matching(table, FIGURES["matching"])
    assert first["matching.default"] == pytest.approx(1.485, abs=0.005)
    assert first["matching.optimised"] == pytest.approx(0.728, abs=0.005)
    default = table[table["runner"] == "default"].set_index("first_step")
    assert default.loc[14_000, "ratio"] == pytest.approx(1.509, abs=0.002)
    assert default.loc[20_000, "ratio"] == pytest.approx(1.542, abs=0.002)
    assert (default["lower"] < 1.4).all()
    assert (default["upper"] > 1.6).all()
    read = table.loc[table["method"] == "between checkpoints", "ratio"].tolist()
    assert read == pytest.approx([0.758], abs=0.001)


def test_ranks(redpajama):
    table = ranks.mixture_ranks(redpajama, FIGURES["ranks"])
    stability = ranks.rank_stability(table, FIGURES["ranks"])
    measured = measures.of_ranks(stability, FIGURES["ranks"])
    expected = {"70M": 0.836, "160M": 0.892, "305M": 0.955}
    for size, value in expected.items():
        assert measured[f"ranks.{size}"] == pytest.approx(value, abs=5e-4)
    assert measured["ranks.best_70M"] == "mix-018"
    last = table[(table["step"] == 30_000) & (table["mixture"] == "mix-018")]
    assert dict(zip(last["size"], last["rank"], strict=True)) == {
        "70M": 1,
        "160M": 2,
        "305M": 2,
        "410M": 4,
    }


def test_critical_proportion(published):
    study = read_logs(published, "continual")
    table = forgetting.critical_proportions(study, FIGURES["continual"], 0, 0.9)
    last = table[table["step"] == 10_000].set_index("procedure")
    assert 0.286 <= last.loc["paper", "value"] <= 0.287
    ours = last.loc["ours"]
    # The run that the paper made to verify its number; the noise of the base's loss is in it.
    assert 0.27 <= ours["lower"] < ours["value"] < 73 / 256 < ours["upper"] <= 0.290
    assert ours["value"] == pytest.approx(0.2831, abs=5e-4)
    errors = forgetting.held_out_errors(study, FIGURES["continual"])
    assert abs(errors["original"]) < 1e-3
    assert abs(errors["new"]) < 1e-3
    by_step = table[table["procedure"] == "ours"].set_index("step")["value"]
    assert by_step.is_monotonic_decreasing
