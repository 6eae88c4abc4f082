"""The answer of continual pre-training: its record, its figures, its page, its lines."""

import json
import re

import pytest
from planted_continual import PARAMS, planted_critical, write_continual

from mixlaws.figures import draw_continual
from mixlaws.files import read_json
from mixlaws.report.continual_page import (
    ContinualResults,
    critical_table,
    summarise_continual,
    write_continual_report,
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("continual")
    return folder, write_continual(folder, check=0.0003)


def test_the_planted_proportion_is_found_and_extrapolated(found):
    folder, _ = found
    record = read_json(folder / "continual/critical.json")
    truth = planted_critical(PARAMS, 307_200, 0.25)
    assert record["status"] == "found"
    assert record["value"] == pytest.approx(truth, abs=3e-3)
    assert record["lower"] <= truth <= record["upper"]
    assert record["upper"] - record["lower"] < 0.03
    assert record["num_seeds"] == 3
    assert record["base"]["original"] == pytest.approx(3.6)
    target = record["target"]
    truth = planted_critical(target["num_params"], 614_400, 0.25)
    assert target["lower"] <= truth <= target["upper"]
    assert target["value"] == pytest.approx(truth, abs=0.01)


def test_the_verification_rounds_the_share_up(found):
    folder, _ = found
    check = read_json(folder / "continual/verification.json")
    value = read_json(folder / "continual/critical.json")["value"]
    assert 0 <= check["share"] - value < 1e-3
    assert check["original"] == pytest.approx(3.6003)
    assert check["lower"] < 3.6 < check["upper"]
    assert check["is_within"] is True


def test_page_and_lines_say_what_was_found(found, tmp_path):
    folder, config = found
    draw_continual(folder, folder / "figures")
    names = [figure["name"] for figure in read_json(folder / "figures/index.json")]
    assert names == ["replay_shares", "trade_off", "critical_over_tokens"]
    write_continual_report(folder, config, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    value = read_json(folder / "continual/critical.json")["value"]
    share = f"{100 * value:.1f}"
    assert re.search(rf"<h1>{share}.% of the original data keep their loss\.</h1>", page)
    assert "Verified. Trained at" in page
    assert "R = b0 + b1 T^s" in page
    lines = summarise_continual(folder, config).splitlines()
    assert lines[0] == f"continual: {share} % of the original data keep their loss."
    labels = [line.split()[0] for line in lines[1:]]
    assert labels == ["for", "check", "base", "knee", "target", "page"]
    table = critical_table(ContinualResults(folder, config))
    assert len(table.rows) == 6
    assert table.rows[0][0] == "25K"


def test_each_domain_has_a_critical_share_of_its_own(found):
    folder, config = found
    table = ContinualResults(folder, config).table("domains").set_index("validation_domain")
    assert table.loc["docs", "value"] > 0.25 > table.loc["cpp", "value"]
    assert table["weight"].to_dict() == {"cpp": 0.5, "docs": 0.5, "python": 0.0}
    assert table["value"].isna().to_dict() == {"cpp": False, "docs": False, "python": True}


def test_weights_decide_whose_loss_is_preserved(tmp_path):
    write_continual(tmp_path, preserve={"docs": 1.0})
    strict = read_json(tmp_path / "continual/critical.json")
    assert strict["value"] > 0.26
    assert strict["base"]["original"] == pytest.approx(4.1)


@pytest.mark.parametrize(
    ("critical", "head", "check"),
    [
        (
            0.03,
            "Every trained share of the original data keeps their loss, from 5.0 % on.",
            "Not verified: every trained share keeps the loss, so none was trained again.",
        ),
        (
            0.95,
            "No trained share of the original data keeps their loss, up to 70.0 %.",
            "Not verified: none keeps it, so none was trained again.",
        ),
    ],
)
def test_no_share_or_every_share_is_said_in_words(tmp_path, critical, head, check):
    config = write_continual(tmp_path, critical=critical, check=0.0)
    lines = summarise_continual(tmp_path, config).splitlines()
    assert lines[0] == f"continual: {head}"
    assert lines[2].split(maxsplit=1)[1] == check
    draw_continual(tmp_path, tmp_path / "figures")
    write_continual_report(tmp_path, config, tmp_path / "report.html")
    record = json.loads((tmp_path / "continual/critical.json").read_text())
    assert record["verification"] is None


def test_a_run_above_the_interval_is_not_confirmed(tmp_path):
    config = write_continual(tmp_path, check=0.05)
    check = summarise_continual(tmp_path, config).splitlines()[2]
    assert "Not confirmed. Trained at" in check
    assert "above the interval of the base's" in check
