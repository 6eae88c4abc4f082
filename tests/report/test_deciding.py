"""The page where something else than the nested laws decides, or where little can be decided."""

import re

import numpy as np
import pandas as pd
import pytest
from fixture_page import text_of, write_page
from fixture_truth import SIZES, TARGET, TARGET_TOKENS, Planted

from mixlaws.files import read_json
from mixlaws.laws.files import load_law
from mixlaws.report import law_report
from mixlaws.results import Results

JOINT = Planted(num_domains=2, num_sizes=2, confirmed=False, pipeline="joint")
LINES = Planted(num_domains=2, confirmed=False, pipeline="loglog")
POINT = Planted(num_domains=2, num_sizes=1, confirmed=False, at_point=True, pipeline="auto")
FAR = Planted(num_domains=2, num_sizes=2, confirmed=False, far=True)


def page_of(planted, tmp_path_factory, write_results):
    folder = tmp_path_factory.mktemp("page")
    page = write_page(folder, write_results(folder, planted))
    return folder, page, text_of(page).replace("\xa0", " ")


@pytest.fixture(scope="module")
def joint(tmp_path_factory, write_results):
    return page_of(JOINT, tmp_path_factory, write_results)


@pytest.fixture(scope="module")
def lines(tmp_path_factory, write_results):
    return page_of(LINES, tmp_path_factory, write_results)


@pytest.fixture(scope="module")
def far(tmp_path_factory, write_results):
    return page_of(FAR, tmp_path_factory, write_results)


def drawn(folder):
    return {figure["name"] for figure in Results(folder).figures.index()}


def test_joint_laws_that_decide_are_shown(joint):
    folder, _, words = joint
    assert {"law_over_tokens", "law_over_sizes", "residuals", "step_law"} <= drawn(folder)
    assert "slopes" not in drawn(folder)
    assert "Joint laws decide: one law in parameters N, tokens D and shares r" in words
    record = read_json(folder / "laws" / "law.json")
    for law in record["laws"]:
        assert f"Parameters of the law {law['name']} (laws/law.json)" in words
        assert f"{law['parameters']['c']['docs']:.4g}" in words
    assert "The nested pipeline was fitted for comparison. It does not decide here." in words
    assert "For comparison: the joint pipeline decides here. The uniform mixture." in words


def test_joint_curves_end_at_the_prediction_of_the_law_file(joint):
    folder, *_ = joint
    predicted = load_law(folder / "laws").predict(np.array([[0.5, 0.5]]))[0]
    record = read_json(folder / "laws" / "law.json")
    for name in ("law_over_tokens", "law_over_sizes"):
        table = pd.read_csv(folder / "figures" / f"{name}.csv")
        table = table[table["kind"] == "extrapolated"]
        if name == "law_over_sizes":
            table = table[table["mixture"] == "uniform"]
            assert table["num_params"].max() == pytest.approx(SIZES[TARGET])
        else:
            table = table[table["size"] == "target"]
            assert table["tokens"].max() == pytest.approx(TARGET_TOKENS)
        ends = table.groupby("validation_domain")["loss"].last()
        for domain, loss in zip(record["validation_domains"], predicted, strict=True):
            assert ends[domain] == pytest.approx(loss, abs=1e-9), (name, domain)


def test_joint_residuals_hold_fitted_and_held_out_losses(joint):
    folder, _, words = joint
    table = pd.read_csv(folder / "figures" / "residuals.csv", dtype={"size": str})
    # 8 sampled and 2 baselines fitted, 2 held out; 2 sizes, 8 checkpoints, 4 validation domains.
    assert len(table) == 12 * 2 * 8 * 4
    assert (table["kind"] == "held-out").sum() == 2 * 2 * 8 * 4
    errors = (table["predicted"] - table["observed"]).abs()
    assert errors[table["kind"] != "left out"].mean() < 0.02
    rms = np.sqrt((errors**2)[(table["kind"] == "fitted") & (table["size"] == "56K")
                              & (table["validation_domain"] == "docs")].mean())  # fmt: skip
    assert f"{rms:.4f}" in words


def test_log_log_lines_that_decide_are_shown_and_tested(lines):
    folder, _, words = lines
    assert {"law_over_tokens", "law_over_sizes", "slopes", "residuals"} <= drawn(folder)
    assert "Log-log lines decide." in words
    table = pd.read_csv(folder / "laws" / "slope_tests.csv")
    assert table["regressor"].value_counts().to_dict() == {"num_params": 5, "tokens": 5}
    row = table[(table["regressor"] == "tokens") & (table["validation_domain"] == "overall")]
    said = f"from {row['lowest'].item():.3f} to {row['highest'].item():.3f}".replace("-", "−")
    # The planted losses have an irreducible part that depends on the mixture: no common slope.
    assert row["p"].item() < 0.01
    assert re.search(
        rf"Slopes of ln loss in ln tokens, overall loss: 10 mixtures have slopes {said} \(mean "
        r"−0\.\d{3}\)\. They differ by more than the noise of runs \(F test, p = ",
        words,
    )
    laws = pd.read_csv(folder / "laws" / "line_law.csv")
    one = laws[(laws["mixture"] == "uniform") & (laws["validation_domain"] == "docs")].iloc[0]
    assert f"{one['loss']:.3f} ± {100 * one['log_sd']:.1f} %" in words
    assert laws["own_slope_tokens"].mean() == pytest.approx(laws["slope_tokens"].mean(), abs=1e-6)
    assert f"{one['slope_tokens']:.4f}".replace("-", "−") in words


def test_lines_evaluated_for_a_figure_are_the_lines_that_were_fitted(lines):
    folder, *_ = lines
    laws = pd.read_csv(folder / "laws" / "line_law.csv")
    curves = pd.read_csv(folder / "figures" / "law_over_sizes.csv")
    last = curves[curves["num_params"] > 0.999 * SIZES[TARGET]]
    joined = last.merge(laws, on=["mixture", "validation_domain"], suffixes=("", "_line"))
    assert len(joined) == 10 * 4
    assert joined["loss"].to_numpy() == pytest.approx(joined["loss_line"].to_numpy(), abs=1e-9)


def test_slopes_that_cannot_be_tested_say_so():
    row = {"regressor": "num_params", "validation_domain": "overall", "num_mixtures": 8}
    row |= {"mean": -0.1, "sd": 0.01, "lowest": -0.12, "highest": -0.08, "f": np.nan, "p": np.nan}
    (untested,) = law_report.slope_findings(pd.DataFrame([row]))
    assert "cannot test whether the slope is common: it takes one more size" in untested.text
    (common,) = law_report.slope_findings(pd.DataFrame([row | {"f": 1.0, "p": 0.4}]))
    assert common.tone == "good"
    assert "within the noise of runs (F test, p = 0.4)" in common.text


def test_a_target_too_far_has_no_recommendation_and_no_absolute_loss(far):
    folder, page, words = far
    optimum = read_json(folder / "optimum.json")
    assert not optimum["support"]["recommends"]
    headline = "These runs do not tell which mixture is best for a model of size 100B trained on"
    assert f"<h1>{headline} 1.23M tokens.</h1>" in page
    assert "Train on" not in words.split("Recipes")[0]
    assert "so no interval holds there" in words
    assert "it would take proxies of at least 101M parameters" in words
    assert "This is not a recommendation." in words
    assert "Predicted gain (nothing follows from it)" in words
    for name, entry in {"optimum": optimum, **optimum["baselines"]}.items():
        loss = f"{entry['predicted']['overall']['value']:.3f}"
        assert loss not in words, name
    assert "predicted overall loss above the optimum" in page
    curves = pd.read_csv(folder / "figures" / "step_law.csv")
    assert curves["tokens"].max() == pytest.approx(614_400)
    readme = (folder / "recipes" / "README.md").read_text()
    assert f"**Not a recommendation.** {headline}" in readme


def test_a_swarm_of_one_point_is_a_case_of_its_own(tmp_path_factory, write_results):
    folder, page, words = page_of(POINT, tmp_path_factory, write_results)
    assert "<h1>Train on " in page
    assert (
        "All runs have size 25K and one measured checkpoint. The page compares mixtures at that "
        "size and number of tokens. It says nothing about the loss at another size or another "
        "number of tokens."
    ) in words
    assert "The mixing law decides alone" in words
    assert "or less: no loss is extrapolated." in words
    assert not {"step_law", "size_law", "law_over_tokens", "residuals"} & drawn(folder)
    assert "were checked at size 25K (N = 24.7K, D = 614K tokens)" in words
