import math
import re
import shutil

import pandas as pd
import pytest
from fixture_page import text_of, write_page
from fixture_truth import SIZES, Planted

from mixlaws import presentation as display
from mixlaws.errors import DataError
from mixlaws.figure_folder import FigureFolder
from mixlaws.figures import FIGURES
from mixlaws.files import file_sha256, read_json, write_json
from mixlaws.provenance import TRAINING_VERSION
from mixlaws.report import findings, warnings
from mixlaws.report import tables as report_tables
from mixlaws.report.blocks import section_figures
from mixlaws.report.data import PageData
from mixlaws.report.first_screen import summary
from mixlaws.report.page import write_report
from mixlaws.results import Results
from mixlaws.tables import write_table

LEVEL = 0.9
ELSEWHERE = {"law_over_tokens", "law_over_sizes", "slopes", "isoflop"}
"""Figures of the joint laws, of the log-log lines and of a compute budget: not in these tests."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def page(folder, write_results):
    return write_page(folder, write_results(folder))


def test_numbers_are_rounded_with_their_unit():
    assert display.format_count(1_228_800) == "1.23M"
    assert display.format_count(999_900) == "1M"
    assert display.format_count(640) == "640"
    assert display.format_bytes(3_500_000) == "3.5 MB"
    assert display.format_flops(3.706e21) == "3.71 × 10²¹"
    assert display.format_seconds(0.42) == "0.42 s"
    assert display.format_seconds(7_560) == "2.1 h"
    assert display.format_signed(-0.1284) == "−0.128"
    assert display.format_signed(-0.0001) == "+0.000"
    assert display.format_share(0.664) == "66.4\xa0%"


def test_a_mixture_in_words_adds_up_to_a_hundred():
    words = display.format_mixture({"python": 0.264, "docs": 0.549, "cpp": 0.187})
    assert words.replace("\xa0", " ") == "55 % docs, 26 % python and 19 % cpp"
    assert display.round_percents([1 / 3] * 3) == [34, 33, 33]
    many = display.format_mixture({f"d{i}": 0.1 for i in range(10)}, num_named=2)
    assert many.replace("\xa0", " ") == "10 % d0, 10 % d1 and 80 % of 8 other domains"


def test_names_have_the_order_of_the_config():
    assert list(display.ordered({"b": 1, "a": 2, "c": 3}, ["c", "b", "x"])) == ["c", "b", "a"]
    table = pd.DataFrame({"domain": ["a", "overall", "b", "a"], "row": [0, 1, 2, 3]})
    assert display.ordered_rows(table, "domain", ["b", "a"])["row"].tolist() == [2, 0, 3, 1]


def test_the_first_screen_says_what_to_train_on(folder, page):
    words = text_of(page)
    optimum = read_json(folder / "optimum.json")
    shares = {domain: optimum["proportions"][domain] for domain in Planted().domains}
    assert list(shares.values()) == pytest.approx(Planted().optimum(), abs=0.03)
    mixture = display.format_mixture(shares).replace("\xa0", " ")
    assert f"Train on {mixture}." in words
    params = display.format_count(SIZES["332K"])
    assert f"{params} parameters without embeddings) trained on 1.23M tokens" in words
    assert "measured on 70 % docs, 15 % python and 15 % cpp of validation text" in words
    loss = optimum["predicted"]["overall"]
    assert loss["lower"] < Planted().target_overall(Planted().optimum())[0] < loss["upper"]
    ends = f"{loss['lower']:.3f} to {loss['upper']:.3f}"
    interval = f"(90 % interval of the expected loss {ends})"
    assert f"Predicted loss: {loss['value']:.3f} nats per token {interval}" in words
    rise = 100 * math.expm1(optimum["baselines"]["uniform"]["gain"]["value"])
    assert f"a probability {rise:.1f} % higher" in words
    assert "and the gain held" in words
    percents = (f"{domain} {100 * share:.1f} %" for domain, share in shares.items())
    assert f"Recommended shares {' '.join(percents)}" in words
    assert "Chosen: nested. Pinned by laws.pipeline in the config." in words
    assert "How errors grow towards larger sizes was not measured here." in words
    assert re.search(r"90 % intervals hold \d+ % of the errors on this experiment", words)
    assert words.index("from the uniform mixture (") < words.index("from the natural mixture (")


def test_the_page_needs_nothing_else(page):
    assert page.count("<script") == 2  # tests/report/test_explore.py: the data and the script
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)[^\"]*\"", page)
    assert not re.findall(r"url\((?!#)[^)]*\)|@import", page)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert page.count("<figure") == page.count("<figcaption") == 12
    assert page.count("<table>") == page.count("<caption>")


def test_where_the_result_disappoints_the_page_says_so(tmp_path, write_results):
    planted = Planted(flat=True, noise=0.03)
    config = write_results(tmp_path, planted)
    laws = pd.read_csv(tmp_path / "laws" / "size_law.csv", dtype={"at_bound": object})
    laws.loc[0, ["num_agreeing", "at_bound"]] = [1, "E"]
    laws.to_csv(tmp_path / "laws" / "size_law.csv", index=False)
    words = text_of(write_page(tmp_path, config))
    assert "Cannot be told from the uniform mixture" in words
    assert "covers 0" in words
    noise = read_json(tmp_path / "confirmation.json")["noise"]
    assert f"within twice the noise between seeds (2 × {noise:.3f} nats)" in words
    for baseline in ("linear", "mean"):
        lost = rf"the additive law does not beat the {baseline} baseline in \d of 6 losses"
        assert re.search(lost, words), baseline
    name = f"{laws['mixture'][0]} / {laws['validation_domain'][0]}"
    assert re.search(rf"Size law: \d+ of 50 fits were found by one start only: {name}", words)
    assert re.search(
        rf"Size law: \d+ of 50 fits have a parameter at its bound: {name} \(E\)", words
    )
    factor = SIZES["332K"] / SIZES["99K"]
    assert f"The target has {factor:.3g} times the parameters and 2 times the tokens" in words


def test_what_is_off_leaves_its_part_out(tmp_path, write_results):
    planted = Planted(num_domains=2, num_sizes=2, confirmed=False)
    config = write_results(tmp_path, planted)
    (tmp_path / "laws" / "size_law.csv").unlink()
    page = write_page(tmp_path, config)
    assert "the target model has not been trained to check it" in text_of(page)
    assert 'id="confirmation"' not in page
    assert "Size law" not in text_of(page)


def keep_what_others_publish(folder):
    """Leave losses, sizes and mixtures: no text, cost, recipe or baseline, nothing of our runs."""
    for name in ("accounting.csv", "contamination.csv"):
        (folder / name).unlink()
    for name in ("benchmarks", "recipes", "runs"):
        shutil.rmtree(folder / name)
    runs = pd.read_csv(folder / "runs.csv")
    runs[["size", "mixture", "seed", "num_params"]].to_csv(folder / "runs.csv", index=False)
    losses = pd.read_parquet(folder / "losses.parquet")
    losses = losses.drop(columns=["accuracy", "bits_per_byte"])
    write_table(losses, folder / "losses.parquet")
    mixtures = pd.read_csv(folder / "mixtures.csv")
    mixtures["kind"] = mixtures["kind"].replace("baseline", "given")
    mixtures.to_csv(folder / "mixtures.csv", index=False)
    optimum = read_json(folder / "optimum.json")
    optimum["baselines"] = {"best_observed": optimum["baselines"]["best_observed"]}
    write_json(optimum, folder / "optimum.json")
    return optimum["baselines"]["best_observed"]["mixture"]


def test_losses_that_others_measured_have_a_page(tmp_path, write_results):
    config = write_results(tmp_path, Planted(num_domains=2, num_sizes=2, confirmed=False))
    best = keep_what_others_publish(tmp_path)
    page = write_page(tmp_path, config)
    words = text_of(page)
    for name in ("text", "cost", "recipes", "confirmation"):
        assert f'<h2 id="{name}"' not in page
    assert f"the best mixture among the trained ones ({best})" in words
    compared = "Compared with the best mixture among the trained ones, the recommended mixture"
    assert compared in words
    assert f"The {best} mixture. Each curve is fitted to the filled points of one run" in words
    assert "the uniform mixture" not in words
    assert "bits per byte" not in words
    drawn = {figure["name"] for figure in Results(tmp_path).figures.index()}
    absent = {"tokens_per_domain", "cost", "confirmation", "signal_to_noise"}
    assert drawn == {spec.name for spec in FIGURES} - absent - ELSEWHERE


def test_every_figure_has_a_section_on_the_page(folder, page):
    drawn = {figure["name"] for figure in Results(folder).figures.index()}
    assert {spec.name for spec in FIGURES} - drawn == ELSEWHERE
    for spec in [each for each in FIGURES if each.name in drawn]:
        start = page.index(f'<h2 id="{spec.section}"')
        assert f'id="figure-{spec.name}"' in page[start : page.index("</section>", start)]


def test_doubtful_fits_are_named():
    laws = pd.DataFrame(
        {
            "mixture": ["mix-001", "mix-002", "mix-003"],
            "validation_domain": ["cpp", "docs", "cpp"],
            "num_agreeing": [1, 3, 3],
            "at_bound": ["", float("nan"), "E alpha"],
        }
    )
    texts = [warning.finding.text for warning in warnings.fit_warnings("Size law", laws)]
    assert texts == [
        "Size law: 1 of 3 fits were found by one start only: mix-001 / cpp.",
        "Size law: 1 of 3 fits have a parameter at its bound: mix-003 / cpp (E alpha).",
    ]
    assert list(warnings.fit_warnings("Size law", laws[1:2])) == []


def test_runs_of_another_version_are_named(folder, page):
    assert "another version of training" not in text_of(page)
    runs = pd.read_csv(folder / "runs.csv").assign(training_version=0)
    (warning,) = warnings.version_warnings(runs)
    start = "36 of 36 runs were trained by another version of training than today's"
    assert warning.finding.text.startswith(
        f"{start} ({TRAINING_VERSION}), which gives other losses: 25K / "
    )


def test_in_sample_numbers_are_called_so(page):
    words = text_of(page)
    assert "fitted (in-sample)" in page
    assert "rmse" not in words.lower()
    assert "The small grey points are in-sample." in words


def test_a_page_without_figures_is_refused(tmp_path, write_results):
    config = write_results(tmp_path)
    with pytest.raises(DataError, match=r"there is no .*index.json. Draw them first"):
        write_report(tmp_path, config, tmp_path / "report.html")


def optimum_with(lower, upper, recommends=True):
    gain = {"value": (lower + upper) / 2, "lower": lower, "upper": upper}
    baselines = {"uniform": {"mixture": "uniform", "gain": gain}}
    return {"level": LEVEL, "baselines": baselines, "support": {"recommends": recommends}}


@pytest.mark.parametrize(
    ("lower", "upper", "tone", "start"),
    [
        (0.01, 0.03, "good", "Better than the uniform mixture (equal shares) by 0.020 nats"),
        (-0.01, 0.03, "caution", "Cannot be told from the uniform mixture"),
        (-0.03, -0.01, "caution", "Worse than the uniform mixture (equal shares) by 0.020 nats"),
    ],
)
def test_a_gain_is_worded_by_its_interval(lower, upper, tone, start):
    (finding,) = findings.gain_findings(optimum_with(lower, upper))
    assert finding.tone == tone
    assert finding.text.startswith(start)


def test_a_gain_proves_nothing_where_no_mixture_is_recommended():
    (finding,) = findings.gain_findings(optimum_with(0.01, 0.03, recommends=False))
    assert finding.tone == "plain"
    assert finding.text.replace("\xa0", " ") == (
        "Over the uniform mixture (equal shares): predicted +0.020 nats (90 % interval of the "
        "expected gain 0.010 to 0.030)."
    )


def confirmation(noise, gain):
    beyond = noise is not None and gain > 2 * noise
    return {"noise": noise, "gains": {"uniform": {"observed": gain, "beyond_noise": beyond}}}


@pytest.mark.parametrize(
    ("record", "tone", "part"),
    [
        (None, "plain", "This is a prediction"),
        (confirmation(0.02, 0.05), "good", "the gain held: 0.050 nats over uniform"),
        (confirmation(0.03, 0.05), "caution", "does not show that the recommended mixture"),
        (confirmation(None, 0.05), "caution", "neither confirm nor refute"),
    ],
)
def test_the_verdict_weighs_the_gain_against_the_noise(record, tone, part):
    finding = findings.verdict({"target": {"size": "332K"}}, record)
    assert finding.tone == tone
    assert part in finding.text


def test_limits_failures_and_missing_proofs_are_warned_of():
    active = {"domain": "cpp", "side": "upper", "limit": 0.2}
    optimum = {
        "certificate": {"certified": False, "convex": False, "gap": 0.1, "num_starts": 16},
        "active_constraints": [active | {"shadow_price_per_billion_tokens": -0.125}],
        "num_failed_replicates": 3,
        "replicates": 200,
    }
    found = [w.finding.text.replace("\xa0", " ") for w in warnings.optimum_warnings(optimum)]
    assert "best of 16 searches" in found[0]
    assert found[1] == (
        "The upper limit of cpp binds: its share is 20.0 %. A billion more tokens of it would "
        "change the loss by -0.12 nats."
    )
    assert found[2].startswith("3 of 200 bootstrap refits failed")


@pytest.mark.parametrize(
    ("certified", "convex", "tone", "text"),
    [
        (True, True, "good", "Certificate: proved optimal. The predicted loss is convex in the "),
        (
            False,
            True,
            "caution",
            "no allowed mixture is predicted to be better by more than 0.0012",
        ),
        (False, False, "caution", "Certificate: not certified, because the predicted loss is not "),
    ],
)
def test_the_certificate_is_stated_in_every_case(certified, convex, tone, text):
    record = {"certified": certified, "convex": convex, "gap": 0.00123, "num_starts": 4}
    finding = warnings.certificate_finding(record)
    assert finding.tone == tone
    assert text in finding.text


def test_a_far_extrapolation_is_called_far():
    target = {"target": {"num_params": 1e9, "tokens": 1e11}}
    near = warnings.extrapolation_warning(target, 4e8, 3e10)
    far = warnings.extrapolation_warning(target, 7e7, 3e10)
    none = warnings.extrapolation_warning(target, 1e9, 1e11)
    assert near.finding.tone == "plain"
    assert "2.5 times the parameters and 3.33 times the tokens" in near.finding.text
    assert far.finding.tone == "caution"
    assert far.weight > near.weight > none.weight
    assert none.finding.text.endswith("of the largest proxy, or less: no loss is extrapolated.")


def test_the_warnings_come_in_order_of_weight(page):
    words = text_of(page)
    start = words.index("the heaviest first.")
    growth = words.index("How errors grow towards larger sizes was not measured", start)
    reach = words.index("The target has 3.37 times the parameters", start)
    assert growth < reach < words.index("All proxies have one learning-rate schedule", start)


def test_held_out_coverage_is_counted_beside_its_level(folder, page):
    table = pd.read_csv(folder / "figures" / "predicted_vs_observed.csv")
    held = table[table["kind"] == "held-out"]
    assert held[["lower", "upper"]].notna().all(axis=None)
    inside = (held["observed"] >= held["lower"]) & (held["observed"] <= held["upper"])
    said = f"The 90 % intervals of one new run hold {inside.sum()} of 12 losses"
    assert said in text_of(page)
    assert re.search(
        r"of the 2 held-out mixtures, and \d of their 2 overall losses\.", text_of(page)
    )
    assert findings.coverage_finding(table[table["kind"] == "fitted"], 0.9) is None


def test_the_runs_are_audited_and_the_page_has_its_origin(folder, page):
    words = text_of(page).replace("\xa0", " ")
    assert re.search(r"No share of any of the 42 runs differs from its mixture by more than", words)
    record = read_json(folder / "runs/99K/uniform/seed-0/run.json")
    assert f"99K uniform 0 614,400 {sum(record['realised_tokens'].values()):,}" in words
    digest = file_sha256(folder / "losses.parquet")
    assert f"sha256 of losses.parquet {digest}" in words
    assert "99K uniform 0 done" in words


def test_scores_are_those_of_the_largest_observed_size():
    rows = [("held-out", "25K"), ("held-out", "99K"), ("held-out", "target"), ("fitted", "99K")]
    scores = pd.DataFrame(rows, columns=["fold", "size"])
    kept = findings.mixture_scores(scores, {"25K": 25_000, "99K": 99_000})
    assert kept.values.tolist() == [["held-out", "99K"]]


def test_figures_take_the_inks_of_the_page(folder, page):  # noqa: ARG001 (it draws them)
    figure = section_figures(FigureFolder(folder / "figures"), "laws")[-1]
    assert figure.name == "optimum"
    assert figure.width == pytest.approx(9.0 * 0.85 * 96)
    assert "var(--ink)" in figure.svg
    assert "#1c2127" not in figure.svg
    assert "<metadata>" not in figure.svg


def test_the_inner_folds_of_the_joint_laws_are_a_table():
    fold = {
        "choice": "early cut",
        "option": "0.3",
        "fold": "largest",
        "num_rows": 40,
        "mae": 0.0123,
    }
    table = report_tables.joint_fold_table([fold])
    assert table.rows == [["early cut", "0.3", "largest", "40", "0.012"]]
    assert table.folded
    assert report_tables.joint_fold_table([]) is None


def test_the_forward_folds_are_a_table_with_the_chosen_pipeline_first():
    row = {"fold": "2 sizes, predicting L", "size_factor": 2.0, "token_factor": 1.0}
    row |= {"num_mixtures": 8, "errors": {"joint": 0.01234, "nested": 0.02}}
    rest = row | {"fold": "first half", "errors": {"joint": 0.03}}
    table = report_tables.forward_table([row, rest], "nested")
    assert [cell.split(":")[0] for cell in table.header[-2:]] == ["nested", "joint"]
    assert table.rows[0] == ["2 sizes, predicting L", "2", "1", "8", "0.0200", "0.0123"]
    assert table.rows[1][-2:] == ["–", "0.0300"]
    assert report_tables.forward_table([], "nested") is None


def test_the_optimum_without_limits_is_shown_where_a_limit_binds():
    estimate = {"value": 3.5, "lower": 3.4, "upper": 3.6}
    optimum = {
        "proportions": {"a": 0.25, "b": 0.75},
        "intervals": {"a": [0.2, 0.3], "b": [0.7, 0.8]},
        "near_optimal": {"ranges": {"a": [0.1, 0.4], "b": [0.6, 0.9]}},
        "predicted": {"overall": estimate},
        "baselines": {},
        "unconstrained": {"proportions": {"a": 0.125, "b": 0.875}, "overall": 3.25},
        "active_constraints": [{"domain": "b", "side": "upper", "limit": 0.75}],
        "support": {"states_loss": True},
    }
    shares = report_tables.share_table(optimum, 0.9)
    assert shares.header[-1] == "without limits"
    assert [row[-1].split()[0] for row in shares.rows] == ["12.5", "87.5"]
    assert report_tables.gain_table(optimum).rows[-1][:2] == ["without limits", "3.250"]
    free = {**optimum, "active_constraints": []}
    assert "without limits" not in report_tables.share_table(free, 0.9).header


def test_the_text_is_traced_from_documents_to_splits(folder, page):
    words = text_of(page).replace("\xa0", " ")
    overlap = pd.read_csv(folder / "contamination.csv")
    exact, near = overlap["num_removed_exact"].sum(), overlap["num_removed_near"].sum()
    assert exact > 0
    assert near > 0
    repeated = f"{exact + near} training documents repeated validation documents"
    assert f"{repeated} ({exact} exactly, {near} nearly)" in words
    assert "The way of the text, counted at each stage." in words
    accounting = pd.read_csv(folder / "accounting.csv").set_index(["domain", "split"])
    tokens = accounting.loc["python", "num_tokens"]
    share = 100 * tokens["train"] / tokens.sum()
    parts = f"{tokens['train']:,} {share:.1f} % {tokens['validation']:,} {100 - share:.1f} %"
    assert f"{tokens.sum():,} {parts}" in words
    own = overlap[overlap["validation_domain"] == overlap["training_domain"]].iloc[0]
    assert f"{own['num_overlapping']} ({100 * own['share']:.1f} %)" in words
    assert "bits per byte, mean" in words


def test_runs_of_the_target_may_recommend_what_the_proxies_do_not(folder, page):  # noqa: ARG001
    config = Planted().config(folder / "source")
    results = Results(folder)
    results.optimum["support"] |= {"recommends": False, "headline": "Unknown.", "reason": "Wide."}
    data = PageData(results, config)
    assert data.is_confirmed
    found = summary(data)
    assert found["headline"].startswith("Train on ")
    assert found["lead"][1] == "The proxies alone do not support this choice. Wide."
    data.confirmation["gains"]["uniform"]["beyond_noise"] = False
    assert not data.is_confirmed
    found = summary(data)
    assert found["headline"] == "Unknown."
    assert found["lead"][0] == "Wide."
    assert "Until then, keep the mixture in use" in found["next_steps"][-1].text
