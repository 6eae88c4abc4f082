import numpy as np
import pandas as pd
import pytest
from fixture_truth import SHAPES, SIZES, TARGET, TARGET_TOKENS, Planted
from matplotlib.colors import to_rgb

from mixlaws.decision.surface import SURFACE_POINTS
from mixlaws.errors import DataError
from mixlaws.figures import draw_figures
from mixlaws.figures.confirmation import confirmation_rows
from mixlaws.figures.cost import stage_costs
from mixlaws.figures.curves import Target
from mixlaws.figures.optimum import optimum_shares
from mixlaws.figures.predicted_vs_observed import (
    compared_losses,
    observed_losses,
    plot_predicted_vs_observed,
)
from mixlaws.figures.share_paths import share_paths
from mixlaws.figures.size_law import plot_size_law, size_curves
from mixlaws.figures.step_law import plot_step_law, step_curves
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    UNWEIGHTED,
    domain_colours,
    domain_keys,
    size_colours,
)
from mixlaws.figures.training_curves import training_curves
from mixlaws.figures.view import compared_mixtures
from mixlaws.files import read_json
from mixlaws.losses.tables import read_losses
from mixlaws.results import Results
from mixlaws.runs.shapes import Shape

ALWAYS = {
    "tokens_per_domain",
    "training_curves",
    "signal_to_noise",
    "cost",
    "step_law",
    "predicted_vs_observed",
    "interaction_matrix",
    "simplex",
    "optimum",
    "residuals",
}
TWO_DOMAINS = Planted(num_domains=2, num_sizes=2, confirmed=False)
MANY_DOMAINS = Planted(num_domains=12, num_sizes=2, confirmed=False)
"""More than a figure has room to write numbers for."""
MANY_MEASURED = Planted(num_domains=2, num_sizes=2, confirmed=False, num_extra=32)
"""More than the palette has colours."""
UNIFORM = [1 / 3, 1 / 3, 1 / 3]
TARGET_POINT = Target(TARGET, SIZES[TARGET], TARGET_TOKENS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_results):
    folder = tmp_path_factory.mktemp("figures")
    write_results(folder)
    return folder


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv", dtype={"size": str})


def oklab(colours):
    """Return (n, 3): perceived lightness and hue (Ottosson 2020)."""
    rgb = np.array([to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = (
        linear
        @ np.array(
            [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
        ).T
    )
    mixed = [[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]]
    return np.cbrt(cones) @ np.array(mixed).T


def test_colours_of_the_palette_can_be_told_apart():
    assert len(DOMAIN_PALETTE) == len(set(DOMAIN_PALETTE)) == 32
    points = oklab(DOMAIN_PALETTE)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    # A just noticeable difference is about 0.02.
    assert distances[np.triu_indices(22, 1)].min() > 0.09
    assert distances[np.triu_indices(32, 1)].min() > 0.07


def test_a_domain_keeps_its_colour_and_too_many_make_those_without_a_weight_grey():
    assert domain_colours(["a", "b"])["b"] == domain_colours(["a", "b", "c"])["b"]
    names = [f"domain{i}" for i in range(60)]
    colours = domain_colours(names, {"domain3": 0.25, "domain50": 0.75})
    assert colours["domain3"] == DOMAIN_PALETTE[0]
    assert colours["domain50"] == DOMAIN_PALETTE[1]
    assert {colours[name] for name in names} == {*DOMAIN_PALETTE[:2], UNWEIGHTED}
    every = domain_colours(names, {name: 1.0 + i for i, name in enumerate(names)})
    assert [every[name] for name in names] == [UNWEIGHTED] * 28 + list(DOMAIN_PALETTE)
    keys = domain_keys(colours, names)
    assert [entry.get_label() for entry in keys] == ["domain3", "domain50", "58 others"]


def test_sizes_have_one_colour_each():
    assert len(set(size_colours(["25K", "56K", "99K"]).values())) == 3
    assert list(size_colours(["25K"])) == ["25K"]


def test_step_curves_are_the_planted_losses(folder):
    losses = read_losses(folder / "losses.parquet")
    curves = step_curves(losses, table(folder, "laws/step_law"), "uniform", TARGET_POINT)
    # Three sizes; steps 60 and 83 of 600 are in the first 18 %.
    assert curves["kind"].value_counts()[["fitted", "left out"]].tolist() == [3 * 30, 3 * 10]
    assert curves.loc[curves["kind"] == "left out", "tokens"].unique().tolist() == [61_440, 84_992]
    beyond = curves[curves["kind"] == "extrapolated"]
    assert beyond["tokens"].agg(["min", "max"]).round().tolist() == [614_400, TARGET_TOKENS]
    last = beyond[(beyond["size"] == "99K") & (beyond["validation_domain"] == "docs")].iloc[-1]
    expected = Planted().losses(SIZES["99K"], TARGET_TOKENS, UNIFORM)[0, 1]
    assert last["loss"] == pytest.approx(expected, abs=0.02)


def test_only_extrapolated_lines_are_dashed(folder):
    losses = read_losses(folder / "losses.parquet")
    curves = step_curves(losses, table(folder, "laws/step_law"), "uniform", TARGET_POINT)
    figure = plot_step_law(curves, list(Planted().sizes))
    for axes in figure.axes:
        dashed = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "--"]
        solid = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "-"]
        assert len(dashed) == len(solid) == 3
        assert min(map(min, dashed)) >= 614_400 - 1
        assert max(map(max, solid)) <= 614_400 + 1


def test_size_curves_end_at_the_planted_target(folder):
    step, size = table(folder, "laws/step_law"), table(folder, "laws/size_law")
    curves = size_curves(step, size, Planted().sizes, TARGET_POINT)
    rows = curves[(curves["mixture"] == "uniform") & (curves["validation_domain"] == "cpp")]
    expected = Planted().losses(SIZES[TARGET], TARGET_TOKENS, UNIFORM)[0, 2]
    assert rows["num_params"].max() == pytest.approx(SIZES[TARGET])
    assert rows.iloc[-1]["loss"] == pytest.approx(expected, abs=0.05)
    assert (rows["kind"] == "fitted").sum() == 3
    figure = plot_size_law(
        curves, "uniform", domain_colours(step["validation_domain"].unique()), TARGET_POINT
    )
    styles = [line.get_linestyle() for line in figure.axes[0].lines]
    assert styles.count("--") == 10
    assert figure.axes[0].get_xlim()[1] > SIZES[TARGET]


def test_observed_losses_have_the_weighted_overall_loss(folder):
    losses = read_losses(folder / "losses.parquet")
    weights = Planted().weights
    observed = observed_losses(losses, weights)
    key = ["size", "mixture", "tokens"]
    one = observed[(observed[key] == ["56K", "mix-003", 614_400]).all(axis=1)]
    by_domain = one.set_index("validation_domain")["observed"]
    expected = 0.15 * by_domain["python"] + 0.7 * by_domain["docs"] + 0.15 * by_domain["cpp"]
    assert by_domain["overall"] == pytest.approx(expected, abs=1e-12)


def test_predictions_are_joined_by_name_and_missing_ones_are_listed(folder):
    predictions = table(folder, "laws/predictions")
    observed = observed_losses(read_losses(folder / "losses.parquet"), Planted().weights)
    joined = compared_losses(predictions, observed, Planted().sizes)
    # Of three sizes, the largest; the laws are exact but for the noise.
    assert len(joined) == len(predictions) / 3
    assert set(joined["size"]) == {"99K"}
    fitted = joined[joined["kind"] == "fitted"]
    assert (fitted["predicted"] - fitted["observed"]).abs().max() < 0.02
    with pytest.raises(
        DataError, match=r"no loss .*: held-002 of size 99K at 614,400 tokens\. Rerun"
    ):
        compared_losses(predictions, observed[observed["mixture"] != "held-002"], Planted().sizes)


def test_scores_in_a_panel_count_only_what_was_kept_out_of_the_fit():
    rows = [("fitted", 1.0, 9.0), ("held-out", 1.0, 1.1), ("leave-one-mixture-out", 2.0, 1.8)]
    table = pd.DataFrame(rows, columns=["kind", "observed", "predicted"])
    table = table.assign(validation_domain="docs", lower=np.nan, upper=np.nan)
    axes = plot_predicted_vs_observed(table, {"docs": "#2f7fd0"}).axes[0]
    text = axes.texts[0].get_text()
    assert text == "kept out of the fit (2):\nMAE 0.150\nR² 0.90"
    assert len({line.get_marker() for line in axes.lines} - {"None"}) == 3


@pytest.mark.parametrize(
    "planted",
    [TWO_DOMAINS, pytest.param(MANY_DOMAINS, marks=pytest.mark.slow)],
    ids=["two", "many"],
)
def test_a_path_varies_one_share_and_keeps_the_others_ratios(tmp_path, write_results, planted):
    write_results(tmp_path, planted)
    optimum = read_json(tmp_path / "optimum.json")
    compared = compared_mixtures(table(tmp_path, "mixtures"), optimum, planted.domains)
    paths = share_paths(table(tmp_path, "laws/surface"), compared)
    assert paths.groupby("domain").size().tolist() == [SURFACE_POINTS] * planted.num_domains
    for domain, path in paths.groupby("domain"):
        best = path.loc[path["overall"].idxmin()]
        nearest = pytest.approx(optimum["proportions"][domain], abs=1 / (SURFACE_POINTS - 1))
        assert best["share"] == nearest
        assert best["overall"] >= optimum["predicted"]["overall"]["value"] - 1e-9


def test_optimum_shares_are_beside_the_baselines(folder):
    optimum = read_json(folder / "optimum.json")
    compared = compared_mixtures(table(folder, "mixtures"), optimum, Planted().domains)
    shares = optimum_shares(compared, optimum, Planted().domains).set_index("domain")
    assert shares["optimum"].tolist() == pytest.approx(Planted().optimum(), abs=0.03)
    assert shares["uniform"].tolist() == pytest.approx(UNIFORM, abs=1 / 64)
    # The text holds 3, 2 and 1 parts, but for what repeats.
    assert shares["natural"].tolist() == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.05)
    assert (shares["lower"] < shares["optimum"]).all()


def test_confirmation_rows_hold_losses_and_gains_by_seed(folder):
    record = read_json(folder / "confirmation.json")
    rows = confirmation_rows(record, ["uniform", "natural"])
    assert rows["quantity"].value_counts().to_dict() == {"loss": 6, "gain": 4}
    assert list(dict.fromkeys(rows["mixture"])) == ["optimum", "uniform", "natural"]
    gains = rows[(rows["quantity"] == "gain") & (rows["mixture"] == "natural")]
    assert gains["observed"].tolist() == record["gains"]["natural"]["per_seed"]


def test_costs_are_summed_over_jobs(folder):
    costs = stage_costs(Results(folder)).set_index("stage")
    assert costs.loc["train proxies", "seconds"] == pytest.approx(36 * 12.5)
    shapes = [Shape(*SHAPES[size]) for size in Planted().sizes]
    flops = sum(s.flops_per_token(vocabulary_size=300, sequence_length=128) for s in shapes)
    assert costs.loc["train proxies", "flops"] == pytest.approx(12 * 614_400 * flops)
    assert costs.loc["fit laws", ["num_jobs", "seconds"]].tolist() == [1, 2.5]
    text = {"read part", "find duplicates", "make tokenizer", "tokenize shard", "join shards"}
    text |= {"publish tokens", "adopt tokens", "account tokens"}
    runs_of_all = {"check tokens", "write mixtures", "train proxies", "train confirmation"}
    losses_of_all = {"collect losses", "collect confirmation", "compare confirmation"}
    analysis = {"score laws", "fit laws", "find optimum", "round optimum", "write recipes"}
    analysis |= {"divide budget"}
    assert set(costs.index) == text | runs_of_all | losses_of_all | analysis


def test_training_curves_span_the_mixtures(folder):
    losses = read_losses(folder / "losses.parquet")
    curves = training_curves(losses, ["99K", "25K", "56K"])
    assert list(dict.fromkeys(curves["size"])) == ["99K", "25K", "56K"]
    assert (curves["lowest"] <= curves["mean"]).all()
    assert (curves["mean"] <= curves["highest"]).all()


@pytest.mark.parametrize(
    ("planted", "optional"),
    [
        (TWO_DOMAINS, {"size_law"}),
        (Planted(), {"size_law", "confirmation"}),
        pytest.param(MANY_DOMAINS, {"size_law"}, marks=pytest.mark.slow),
        pytest.param(MANY_MEASURED, {"size_law"}, marks=pytest.mark.slow),
    ],
    ids=["two-domains", "three-domains", "many-domains", "many-measured"],
)
def test_every_figure_is_drawn_with_its_table(tmp_path, write_results, planted, optional):
    config = write_results(tmp_path, planted)
    draw_figures(tmp_path, config, tmp_path / "figures")
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert drawn == ALWAYS | optional
    for name in drawn:
        assert not table(tmp_path / "figures", name).empty


def test_a_law_that_was_not_fitted_has_no_figure(tmp_path, write_results):
    config = write_results(tmp_path, TWO_DOMAINS)
    path = tmp_path / "laws" / "size_law.csv"
    pd.read_csv(path)[:0].to_csv(path, index=False)
    draw_figures(tmp_path, config, tmp_path / "figures")
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == ALWAYS


def test_figures_have_the_same_bytes_every_time(folder, tmp_path):
    config = Planted().config(folder / "source")
    for name in ("first", "second"):
        draw_figures(folder, config, tmp_path / name)
    paths = sorted((tmp_path / "first").iterdir())
    assert paths
    for path in paths:
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name
