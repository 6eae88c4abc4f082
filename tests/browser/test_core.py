"""Every law that the page evaluates, and the limits of shares, without a page around them."""

import numpy as np
import pytest
from scipy import stats

from mixlaws.laws.joint.forms import FORMS, Layout
from mixlaws.laws.joint.law import JointLaw
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.observations import Target
from mixlaws.report.explore.payload import EVALUATED, pack
from mixlaws.report.explore.script import FOLDER

pytestmark = pytest.mark.browser

K, V = 4, 3
TARGET = Target(3e6, 4e6, 2e8, 1.7e8, 0.4)


@pytest.fixture(scope="module")
def core(browser):
    page = browser.new_page()
    page.add_script_tag(path=FOLDER / "core.js")
    yield lambda words, given=None: page.evaluate(f"(given) => {{ return {words}; }}", given)
    page.close()


def shares():
    found = np.random.default_rng(5).dirichlet(np.full(K, 0.6), 6)
    found[0] = np.eye(K)[1]
    found[1, 0] = 0.0
    return found / found.sum(axis=1, keepdims=True)


def check(core, law, parameters, extra):
    record = {**extra, "parameters": {name: pack(values) for name, values in parameters.items()}}
    given = {"law": record, "shares": shares().tolist(), "target": vars(TARGET)}
    words = (
        "given.shares.map((r) => MixlawsCore.predict([MixlawsCore.unpackLaw(given.law)], r, "
        f"given.target, {[1.0] * V}).slice(0, -1))"
    )
    assert np.array(core(words, given)) == pytest.approx(law.predict(shares()), abs=1e-9)


@pytest.mark.parametrize("name", list(MIXING_LAWS))
def test_a_mixing_law_is_evaluated_as_python_does(core, name):
    rng = np.random.default_rng(7)
    starts = MIXING_LAWS[name].starts(
        rng.dirichlet(np.ones(K), 9), rng.uniform(2, 4, (9, V)), _priors()
    )
    theta = starts[0] + 0.1 * rng.normal(size=starts[0].shape)
    law = MIXING_LAWS[name].from_theta(theta, K)
    assert name in EVALUATED
    check(core, law, law.parameters(), {"name": name})


def _priors():
    from mixlaws.laws.mixing.form import MixingPriors

    return MixingPriors()


@pytest.mark.parametrize("schedule", [False, True])
@pytest.mark.parametrize("form", list(FORMS))
def test_a_joint_law_is_evaluated_as_python_does(core, form, schedule):
    rng = np.random.default_rng(11)
    layout = Layout(FORMS[form], K, schedule=schedule)
    theta = rng.normal(-0.4, 0.5, (V, layout.num_params))
    given = {"reference_params": np.full(V, 1e6), "reference_tokens": np.full(V, 1e8)}
    given |= {name: layout.get(theta, name) for name in layout.slices}
    law = JointLaw.from_exact_parameters(form, given, tuple("abcd"), tuple("xyz"))
    terms = {"name": f"joint-{form}", "terms": vars(FORMS[form]), "schedule": schedule}
    assert f"joint-{form}" in EVALUATED
    check(core, law.at(TARGET), law.exact_parameters(), terms)


@pytest.mark.parametrize("degrees", [1.0, 2.4, 5, 11, 63.5, 400])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_the_quantile_of_students_t(core, degrees, level):
    got = core("MixlawsCore.studentQuantile(...given)", [level, degrees])
    assert got == pytest.approx(stats.t.ppf(0.5 + level / 2, degrees), rel=1e-9)


def test_a_moved_share_keeps_limits_and_sum(core):
    limits = {"lower": [0.1, 0, 0, 0.05], "upper": [0.6, 1, 0.3, 1], "groups": []}
    limits["groups"] = [{"name": "code", "members": [1, 2], "lower": 0.2, "upper": 0.5}]
    limits["inside"] = [0.4, 0.2, 0.1, 0.3]
    rng = np.random.default_rng(2)
    moved = [0.4, 0.2, 0.1, 0.3]
    for _ in range(60):
        given = [moved, int(rng.integers(4)), float(rng.uniform(-0.1, 1.1)), limits]
        moved = core("MixlawsCore.moveShare(...given)", given)
        assert sum(moved) == pytest.approx(1, abs=1e-12)
        assert core("MixlawsCore.allowed(...given)", [moved, limits])


def test_a_moved_share_leaves_the_ratios_of_the_others(core):
    limits = {"lower": [0] * 4, "upper": [1] * 4, "groups": [], "inside": [0.25] * 4}
    moved = core("MixlawsCore.moveShare(...given)", [[0.4, 0.3, 0.2, 0.1], 0, 0.7, limits])
    assert moved == pytest.approx([0.7, 0.15, 0.1, 0.05], abs=1e-12)
    full = core("MixlawsCore.moveShare(...given)", [[0.4, 0.6, 0, 0], 1, 1.0, limits])
    assert full == pytest.approx([0, 1, 0, 0], abs=1e-12)
    back = core("MixlawsCore.moveShare(...given)", [full, 1, 0.4, limits])
    assert back == pytest.approx([0.2, 0.4, 0.2, 0.2], abs=1e-12)


def test_rounded_shares_sum_to_one(core):
    for row in shares().tolist():
        rounded = core("MixlawsCore.roundShares(given)", row)
        assert sum(round(1e6 * share) for share in rounded) == 1_000_000
        assert rounded == pytest.approx(row, abs=3e-6)
