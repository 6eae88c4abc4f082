"""The explorer of the page: what its sliders say is what Python says."""

import json

import numpy as np
import pytest
import yaml

from mixlaws.decision.bootstrap import Bootstrap
from mixlaws.decision.intervals import (
    Bounds,
    central_interval,
    predict_differences,
    predict_losses,
)
from mixlaws.decision.replicates import read_replicates
from mixlaws.files import read_json
from mixlaws.laws.files import load_fitted
from mixlaws.laws.observations import Target
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.scoring.uncertainty import read_uncertainty

pytestmark = pytest.mark.browser

EXACT = 1e-9  # nats
LIMITS = 1e-4  # nats


class Reference:
    """What Python says of a mixture, in the page's order of validation domains."""

    def __init__(self, made, page):
        self.folder = made.folder
        self.fitted = load_fitted(made.folder / "laws")
        self.bounds = Bounds(
            self.fitted.columns, read_uncertainty(self.fitted.uncertainty), self.fitted.level
        )
        self.domains = page.evaluate("mixlaws.data.domains")
        rows = page.evaluate("mixlaws.data.validation_domains")
        names = list(self.fitted.columns.validation_domains)
        self.rows = [*(names.index(row) for row in rows), len(rows)]
        self.columns = [self.domains.index(name) for name in self.fitted.domains]

    def mixture(self, shares):
        return np.asarray(shares)[self.columns][None]

    def losses(self, shares):
        found = predict_losses(self.fitted.law, self.mixture(shares), self.bounds)
        return found.value[0, self.rows], (found.upper - found.value)[0, self.rows]

    def differences(self, shares, other):
        pair = (self.mixture(shares), self.mixture(other))
        found = predict_differences(self.fitted.law, pair, self.bounds)
        return found.value[0, self.rows], (found.upper - found.value)[0, self.rows]

    def refits(self, shares):
        replicates = read_replicates(self.folder / "laws" / "replicates.parquet", self.fitted)[:64]
        laws = Bootstrap(self.fitted.law, replicates, (), self.fitted.num_mixtures)
        columns = self.fitted.columns
        draws = np.array([columns.with_overall(each) for each in laws.draws(self.mixture(shares))])
        value = columns.with_overall(self.fitted.law.predict(self.mixture(shares)))
        found = central_interval(value, draws, self.fitted.level, laws.num_mixtures)
        return found.lower[0, self.rows], found.upper[0, self.rows]


def ask(page, method, *arguments):
    """Call a method of the page's model."""
    return np.array(page.evaluate(f"(given) => mixlaws.model.{method}(...given)", list(arguments)))


def mixtures(count, num_domains):
    """Return mixtures, some with shares of zero."""
    rng = np.random.default_rng(3)
    found = rng.dirichlet(np.full(num_domains, 0.7), count)
    found[0] = np.eye(num_domains)[0]
    found[1, -1] = 0
    return found / found.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("made", ["nested", "joint"])
def test_losses_and_intervals_are_those_of_python(opened, request, made):
    made = request.getfixturevalue(made)
    with opened(made) as page:
        reference, target = Reference(made, page), page.evaluate("mixlaws.data.target")
        other = page.evaluate("mixlaws.data.mixtures[1].shares")
        for shares in mixtures(8, 3).tolist():
            value, half = reference.losses(shares)
            assert ask(page, "predict", shares, target) == pytest.approx(value, abs=EXACT)
            got = ask(page, "intervals.ofLosses", shares, target)
            assert got == pytest.approx(half, abs=LIMITS / 100)
            _, half = reference.differences(shares, other)
            got = ask(page, "intervals.ofDifferences", shares, other, target)
            assert got == pytest.approx(half, abs=LIMITS / 100)
            low, high = ask(page, "refits", shares, target).T
            expected = reference.refits(shares)
            assert low == pytest.approx(expected[0], abs=LIMITS)
            assert high == pytest.approx(expected[1], abs=LIMITS)


def test_the_page_repeats_the_intervals_of_the_optimum(opened, nested):
    """What the explorer says of the optimum and the baselines is what the page says above."""
    optimum = read_json(nested.folder / "optimum.json")
    with opened(nested) as page:
        for name in ("optimum", "uniform", "natural", "best_observed"):
            page.locator("#explore-against").select_option("optimum")
            page.locator("#explore-set").select_option(name)
            found = page.evaluate("mixlaws.evaluate()")
            baseline = optimum["baselines"].get(name)
            said = baseline["overall"] if baseline else optimum["predicted"]["overall"]
            assert found["losses"][-1] == pytest.approx(said["value"], abs=EXACT)
            assert found["half"][-1] == pytest.approx(said["upper"] - said["value"], abs=LIMITS)
            if baseline:
                gain = baseline["gain"]
                assert found["difference"][-1] == pytest.approx(gain["value"], abs=EXACT)
                half = gain["upper"] - gain["value"]
                assert found["differenceHalf"][-1] == pytest.approx(half, abs=LIMITS)
            words = page.locator("#explore-status").inner_text()
            assert f"Predicted overall loss: {said['value']:.3f} nats per token" in words


def test_a_joint_law_holds_at_any_size_and_tokens(opened, joint):
    fitted = load_fitted(joint.folder / "laws")
    with opened(joint) as page:
        reference = Reference(joint, page)
        for size, tokens in ((40_000, 300_000), (150_000, 2_500_000), (2_000_000, 8_000_000)):
            target = page.evaluate("(given) => mixlaws.model.targetAt(...given)", [size, tokens])
            place = Target(**target)
            for shares in mixtures(3, 3).tolist():
                losses = np.mean(
                    [
                        law.law.at(place).predict(reference.mixture(shares))
                        for law in fitted.law.laws
                    ],
                    axis=0,
                )
                expected = fitted.columns.with_overall(losses)[0, reference.rows]
                got = ask(page, "predict", shares, target)
                assert got == pytest.approx(expected, abs=EXACT)
        home = page.evaluate("mixlaws.data.target")
        assert page.evaluate("mixlaws.model.isHome(mixlaws.state.target)")
        assert home == pytest.approx(vars(fitted.target))


def test_the_grid_holds_what_the_pipeline_predicts_there(opened, nested):
    fitted = load_fitted(nested.folder / "laws")
    swarm = Swarm.read(*(nested.folder / n for n in ("losses.parquet", "runs.csv", "mixtures.csv")))
    observations = make_observations(swarm)
    held = swarm.mixtures.loc[swarm.mixtures["kind"] == "held-out", "id"]
    observations = observations.select(~np.isin(observations.mixture, held))
    with opened(nested) as page:
        reference = Reference(nested, page)
        grid = page.evaluate(
            "({ num_params: mixlaws.data.grid.num_params, tokens: mixlaws.data.grid.tokens })"
        )
        assert [len(values) for values in grid.values()] == [5, 5]
        assert fitted.target.num_params in grid["num_params"]
        assert fitted.target.tokens in grid["tokens"]
        for size, tokens in ((0, 4), (2, 1), (4, 4)):
            size, tokens = grid["num_params"][size], grid["tokens"][tokens]
            target = page.evaluate("(given) => mixlaws.model.targetAt(...given)", [size, tokens])
            law = fitted.pipeline.fit(observations, Target(**target))
            for shares in mixtures(3, 3).tolist():
                losses = law.predict(reference.mixture(shares))
                expected = fitted.columns.with_overall(losses)[0, reference.rows]
                got = ask(page, "predict", shares, target)
                assert got == pytest.approx(expected, abs=EXACT)


def test_shares_stay_on_the_simplex(opened, nested):
    with opened(nested) as page:
        for index, value in ((0, 100), (0, 0), (2, 63.5), (1, 100), (1, 20), (0, 41.5), (2, 0)):
            slider = page.locator(f"#explore-share-{index}")
            slider.evaluate(
                "(each, value) => { each.value = value; each.dispatchEvent(new Event('input')); }",
                value,
            )
            shares = page.evaluate("mixlaws.state.shares")
            assert sum(shares) == pytest.approx(1, abs=1e-12)
            assert min(shares) >= 0
            assert shares[index] == pytest.approx(value / 100, abs=1e-12)
            shown = page.locator("#explore-shares input[type=number]").evaluate_all(
                "all => all.map(each => each.valueAsNumber)"
            )
            assert shown == pytest.approx(100 * np.array(shares), abs=0.0501)


def test_a_share_that_moves_away_and_back_leaves_the_others_as_they_were(opened, nested):
    with opened(nested) as page:
        before = page.evaluate("mixlaws.state.shares")
        slider = page.locator("#explore-share-0")
        for value in (100, 100 * before[0]):
            slider.evaluate(
                """(each, value) => {
                  each.step = 'any'; each.value = value; each.dispatchEvent(new Event('input'));
                }""",
                value,
            )
        assert page.evaluate("mixlaws.state.shares") == pytest.approx(before, abs=1e-9)


def test_everything_can_be_done_with_the_keyboard(opened, nested):
    with opened(nested) as page:
        page.locator("#explore-set").focus()
        visited = []
        for _ in range(60):
            visited.append(
                page.evaluate("document.activeElement.id || document.activeElement.textContent")
            )
            page.keyboard.press("Tab")
        controls = ["explore-share-0", "explore-share-2", "explore-num_params", "explore-tokens"]
        controls += ["Uniform", "explore-json", "explore-yaml", "explore-against"]
        controls += ["explore-pair-a", "explore-loss", "explore-tri-c"]
        assert [name for name in controls if name not in visited] == []
        before = page.evaluate("mixlaws.state.shares")
        page.locator("#explore-share-1").focus()
        page.keyboard.press("ArrowRight")
        after = page.evaluate("mixlaws.state.shares")
        assert 0 < after[1] - before[1] <= 0.01
        assert after[0] < before[0]
        page.locator("#explore-presets").get_by_role("button", name="Uniform").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("mixlaws.state.shares") == pytest.approx([1 / 3] * 3)
        page.locator("#explore-num_params").focus()
        page.keyboard.press("ArrowLeft")
        assert not page.evaluate("mixlaws.model.isHome(mixlaws.state.target)")
        texts = [
            f"document.getElementById('explore-{id}').textContent" for id in ("live", "status")
        ]
        page.wait_for_function(f"() => {texts[0]} === {texts[1]}")
        assert page.locator("#explore-live").get_attribute("aria-live") == "polite"


def test_a_recipe_is_copied_or_shown(browser, nested):
    address = (nested.folder / "report.html").as_uri()
    context = browser.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    page.locator("#explore-set").select_option("natural")
    page.locator("#explore-json").click()
    page.get_by_text("Copied as JSON.").wait_for()
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    natural = read_json(nested.folder / "optimum.json")["baselines"]["natural"]["proportions"]
    assert copied["proportions"] == pytest.approx(natural, abs=1e-6)
    assert sum(round(1e6 * share) for share in copied["proportions"].values()) == 1_000_000
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject() }")
    page.locator("#explore-yaml").click()
    page.locator("#explore-text").wait_for()
    shown = yaml.safe_load(page.locator("#explore-text").input_value())
    assert shown["proportions"] == copied["proportions"]
    selection = "document.activeElement.selectionEnd - document.activeElement.selectionStart"
    assert page.evaluate(selection) == len(page.locator("#explore-text").input_value())
    context.close()


def test_slices_show_the_runs_and_take_clicks(opened, nested):
    with opened(nested) as page:
        page.locator("#explore-triangle svg").wait_for()
        runs = page.evaluate("mixlaws.data.runs.mixtures.length")
        assert page.locator("#explore-triangle circle.run").count() == runs
        title = page.locator("#explore-triangle circle.run title").first.text_content()
        assert "nats at size 99K" in title
        page.locator("#explore-triangle svg").click()
        shares = page.evaluate("mixlaws.state.shares")
        assert sum(shares) == pytest.approx(1, abs=1e-12)
        assert page.locator("#explore-set").input_value() == ""
        words = page.locator("#explore-pair svg").get_attribute("aria-label")
        assert words.startswith("Overall loss from 0 to")
        page.locator("#explore-pair-b").select_option(page.locator("#explore-pair-a").input_value())
        chosen = [page.locator(f"#explore-pair-{end}").input_value() for end in "ab"]
        assert chosen[0] != chosen[1]
