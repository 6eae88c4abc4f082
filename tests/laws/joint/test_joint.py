"""Joint laws: planted truths recovered, derivatives, symmetry, the inner folds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixlaws.errors import ConfigError, FitError
from mixlaws.laws.joint.fit import JointSettings, after_early_cut, fit_joint
from mixlaws.laws.joint.forms import FORMS, Layout, evaluate_terms, jacobian
from mixlaws.laws.joint.law import JointLaw, make_points
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import Joint
from mixlaws.runs.schedules import Cosine
from mixlaws.scoring.joint_folds import choose_joint, forward_folds

SIZES = {"S": 5e7, "M": 1.5e8, "L": 4e8}
STEPS = np.array([6, 8, 10, 12, 14, 16, 18, 20, 22, 25, 30]) * 1000
TOKENS_PER_STEP = 1e6
COSINE = Cosine(warmup_steps=2000, num_steps=100_000, final=0.1)
COSINE_PER_RUN = Cosine(warmup_steps=2000, num_steps=30_000, final=0.1)
# Priors too weak to move a fit without noise.
NO_PRIOR = JointSettings(noise=1e-6, early_cut=0.0)
TARGET = Target(1e9, 1e9, 1e11, 5.5e10, 0.9)


def planted_theta(form: str, *, schedule: bool, num_domains: int, seed: int = 0) -> np.ndarray:
    """Return parameters (3, p) of three validation domains near those of real logs."""
    generator = np.random.default_rng(seed)
    layout = Layout(FORMS[form], num_domains, schedule=schedule)
    coupled = "ln_k" in layout
    centre = {
        "c": (1.0, 0.1),
        "m": (0.8, 0.5),
        "ln_g": (np.log(0.6), 0.2),
        "t": (-0.7, 0.4),
        "u": (-1.5 if coupled else -0.7, 0.3),
        "v": (-1.5 if coupled else -0.7, 0.3),
        "ln_a": (np.log(0.4 if coupled else 0.25), 0.05),
        "ln_b": (np.log(0.9 if coupled else 0.45), 0.05),
        "d": (-0.1, 0.02),
        "ln_k": (np.log(0.5), 0.05),
        "ln_C": (np.log(0.06), 0.1),
    }
    theta = np.empty((3, layout.num_params))
    for name, part in layout.slices.items():
        mean, sd = centre[name]
        theta[:, part] = mean + sd * generator.normal(size=theta[:, part].shape)
    return theta


def planted_law(form: str, *, schedule: bool = True, num_domains: int = 3) -> JointLaw:
    return JointLaw(
        form=form,
        domains=tuple(f"d{j}" for j in range(num_domains)),
        validation_domains=("x", "y", "z"),
        theta=planted_theta(form, schedule=schedule, num_domains=num_domains),
        reference_params=1.5e8,
        reference_tokens=1.5e10,
        schedule=schedule,
    )


def observe(
    law: JointLaw,
    *,
    num_mixtures: int = 16,
    noise: float = 0.0,
    steps: np.ndarray = STEPS,
    schedule: Cosine | None = COSINE,
    sizes: dict[str, float] | None = None,
) -> Observations:
    """Return runs of the law; without `schedule` at a constant rate."""
    generator = np.random.default_rng(1)
    sizes = sizes or SIZES
    shares = generator.dirichlet(np.ones(len(law.domains)), num_mixtures)
    names = np.array([f"mix-{i:03d}" for i in range(num_mixtures)])
    size, mixture, step = (
        axis.ravel()
        for axis in np.meshgrid(list(sizes), np.arange(num_mixtures), steps, indexing="ij")
    )
    params = np.array([sizes[name] for name in size])
    effective, annealing = step * TOKENS_PER_STEP, np.zeros(len(step))
    if schedule:
        effective, annealing = schedule.state(step, TOKENS_PER_STEP)
    blank = Observations(
        domains=law.domains,
        validation_domains=law.validation_domains,
        size=size,
        mixture=names[mixture],
        seed=np.zeros(len(step), dtype=int),
        step=step,
        proportions=shares[mixture],
        num_params=params,
        compute_params=params,
        tokens=step * TOKENS_PER_STEP,
        effective_tokens=effective,
        annealing=annealing,
        losses=np.zeros((len(step), 3)),
    )
    losses = law.predict(blank) + noise * generator.normal(size=(len(step), 3))
    return replace(blank, losses=losses)


def simplex_points(num_domains: int) -> np.ndarray:
    generator = np.random.default_rng(2)
    inside = generator.dirichlet(np.ones(num_domains), 20)
    return np.concatenate([inside, np.eye(num_domains)])


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_law_is_recovered(form):
    truth = planted_law(form)
    law, fit = fit_joint(observe(truth), form=form, settings=NO_PRIOR)
    assert np.sqrt((fit.residuals**2).mean()) < 1e-3
    shares = simplex_points(3)[:20]
    error = law.at(TARGET).predict(shares) - truth.at(TARGET).predict(shares)
    assert np.abs(error).mean() < 0.02


@pytest.mark.parametrize("form", ["F1", "F6", "additive-joint"])
def test_planted_exponents_are_recovered(form):
    truth = planted_law(form)
    start = replace(truth, theta=truth.theta + 0.02)
    law, fit = fit_joint(observe(truth), form=form, settings=NO_PRIOR, start=start)
    found, planted = law.parameters(), truth.parameters()
    assert np.abs(fit.residuals).max() < 1e-4
    for name in ("a", "b", "C"):
        assert found[name] == pytest.approx(planted[name], rel=0.05)


@pytest.mark.parametrize("form", FORMS)
def test_jacobian_equals_finite_differences(form):
    law = planted_law(form)
    observations = observe(law, num_mixtures=3, steps=STEPS[:2])
    layout, theta = law.layout, law.theta
    points = make_points(law, observations, observations.proportions)
    exact = jacobian(layout, theta, points, evaluate_terms(layout, theta, points))
    for place in range(layout.num_params):
        step = np.zeros(layout.num_params)
        step[place] = 1e-6
        up = evaluate_terms(layout, theta + step, points).loss
        down = evaluate_terms(layout, theta - step, points).loss
        assert exact[:, :, place] == pytest.approx((up - down) / 2e-6, abs=2e-8), layout.names()[
            place
        ]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_gradient_equals_finite_differences(form, seed):
    law = planted_law(form).at(TARGET)
    shares = np.random.default_rng(seed).dirichlet(np.ones(3) * 3, 4)
    gradient = law.gradient(shares)
    for j in range(3):
        step = 1e-6 * np.eye(3)[j]
        slope = (law.predict(shares + step) - law.predict(shares - step)) / 2e-6
        assert gradient[:, :, j] == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_finite_on_the_whole_simplex(form):
    law = planted_law(form).at(TARGET)
    assert np.isfinite(law.predict(simplex_points(3))).all()
    assert np.isfinite(law.gradient(simplex_points(3))).all()


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), part=st.floats(0, 1))
def test_convex_laws_are(form, seed, part):
    law = planted_law(form).at(TARGET)
    one, other = np.random.default_rng(seed).dirichlet(np.ones(3), 2)[:, None]
    between = law.predict(part * one + (1 - part) * other)
    chord = part * law.predict(one) + (1 - part) * law.predict(other)
    if law.convex:
        assert (between <= chord + 1e-9).all()


def test_a_positive_share_effect_is_not_called_convex():
    law = planted_law("F6")
    raised = law.theta.copy()
    raised[0, law.layout.slices["t"]] = [0.5, -1, -1]
    assert law.at(TARGET).convex
    assert not replace(law, theta=raised).at(TARGET).convex


@pytest.mark.parametrize("form", ["F1", "F7", "joint"])
def test_fit_does_not_depend_on_the_order_of_domains(form):
    observations = observe(planted_law(form), noise=0.003)
    order = np.array([2, 0, 1])
    turned = replace(
        observations,
        domains=tuple(observations.domains[j] for j in order),
        proportions=observations.proportions[:, order],
    )
    shares = simplex_points(3)
    one = fit_joint(observations, form=form)[0].at(TARGET).predict(shares)
    other = fit_joint(turned, form=form)[0].at(TARGET).predict(shares[:, order])
    assert other == pytest.approx(one, abs=2e-5)


def test_larger_models_and_more_tokens_have_lower_loss():
    law = planted_law("F1", schedule=False)
    shares = simplex_points(3)
    here = law.at(TARGET).predict(shares)
    assert (law.at(replace(TARGET, compute_params=2e9)).predict(shares) < here).mean() > 0.9
    assert (law.at(replace(TARGET, tokens=2e11)).predict(shares) < here).all()


def test_at_a_target_equals_predict():
    law, shares = planted_law("F3"), simplex_points(3)
    assert law.at(TARGET).predict(shares) == pytest.approx(law.predict(TARGET, shares), abs=1e-12)


def test_a_target_needs_proportions():
    with pytest.raises(ConfigError, match="has no proportions"):
        planted_law("F3").predict(TARGET)


def test_the_pipeline_is_the_mean_of_its_forms():
    observations = observe(planted_law("F1"), noise=0.003)
    shares, law = simplex_points(3), Joint(("F1", "F6")).fit(observations, TARGET)
    members = [member.predict(shares) for member in law.laws]
    assert law.name == "joint-F1+joint-F6"
    assert law.predict(shares) == pytest.approx(np.mean(members, axis=0))
    assert law.spread(shares) == pytest.approx(np.abs(members[0] - members[1]) / 2)
    gradients = [member.gradient(shares) for member in law.laws]
    assert law.gradient(shares) == pytest.approx(np.mean(gradients, axis=0))


def test_warm_start_reaches_the_same_fit():
    observations = observe(planted_law("F1"), noise=0.003)
    law, fit = fit_joint(observations)
    again, refit = fit_joint(observations.select(observations.step < 30_000), start=law)
    cold, _ = fit_joint(observations.select(observations.step < 30_000))
    shares = simplex_points(3)[:20]
    assert again.at(TARGET).predict(shares) == pytest.approx(
        cold.at(TARGET).predict(shares), abs=2e-3
    )
    assert refit.cost.sum() < fit.cost.sum() * 1.5


def test_warm_start_of_another_form_is_refused():
    observations = observe(planted_law("F1"))
    law, _ = fit_joint(observations, form="F6")
    with pytest.raises(FitError, match=r"form F1 cannot start from a law of the form F6"):
        fit_joint(observations, form="F1", start=law)


def test_unknown_form():
    with pytest.raises(ConfigError, match=r"no form 'F2'. Choose one of F1, F3"):
        fit_joint(observe(planted_law("F1")), form="F2")


def test_one_size_is_refused():
    observations = observe(planted_law("F1"))
    with pytest.raises(FitError, match=r"cannot be fitted to the 1 sizes, 9 token counts"):
        fit_joint(observations.select(observations.size == "S"))


def test_early_cut_is_a_part_of_a_typical_run():
    observations = observe(planted_law("F1"))
    one_longer = replace(
        observations, tokens=np.where(observations.mixture == "mix-000", 4, 1) * observations.tokens
    )
    kept = after_early_cut(one_longer, 0.4)
    usual = one_longer.mixture != "mix-000"
    assert (kept == (one_longer.tokens >= 0.4 * 30e9)).all()
    assert kept[usual].mean() == pytest.approx(8 / 11)


def test_folds_are_disjoint_and_hold_out_mixtures():
    observations = observe(planted_law("F1"))
    folds = list(forward_folds(observations))
    held_out = [fold for fold in folds if fold.name.startswith("held-out")]
    assert len(folds) == 7
    assert all(not (fold.train & fold.validate).any() for fold in folds)
    for fold in held_out:
        both = set(observations.mixture[fold.train]) & set(observations.mixture[fold.validate])
        assert not both
    assert sum(fold.validate.sum() for fold in held_out) == 16 * 3


def test_folds_do_not_depend_on_the_order_of_domains():
    observations = observe(planted_law("F1"))
    turned = replace(observations, proportions=observations.proportions[:, [2, 0, 1]])
    for one, other in zip(forward_folds(observations), forward_folds(turned), strict=True):
        assert (one.validate == other.validate).all()


def test_folds_reject_a_schedule_that_was_not_there():
    truth = planted_law("F1", schedule=False)
    observations = observe(truth, noise=0.002, schedule=COSINE_PER_RUN)
    choice, scores = choose_joint(observations)
    assert not choice.settings.schedule
    off = [score.mae for score in scores if (score.choice, score.option) == ("schedule", "off")]
    assert np.mean(off) < 0.01


def test_folds_keep_a_schedule_that_was_there():
    runs = observe(planted_law("F1"), noise=0.002, schedule=COSINE_PER_RUN)
    choice, _ = choose_joint(runs)
    assert choice.settings.schedule


def test_constant_rate_needs_no_schedule_choice():
    choice, scores = choose_joint(
        observe(planted_law("F1", schedule=False), noise=0.002, schedule=None)
    )
    assert not choice.settings.schedule
    assert {score.option for score in scores if score.choice == "schedule"} == {"off"}


def test_small_data_of_the_demo():
    truth = replace(planted_law("F1", schedule=False), reference_params=5e4, reference_tokens=2e5)
    sizes = {"25k": 25e3, "56k": 56e3, "99k": 99e3}
    steps = np.unique(np.geomspace(60, 500, 8).round()).astype(int)
    runs = observe(truth, num_mixtures=12, noise=0.01, sizes=sizes, steps=steps, schedule=None)
    runs = replace(runs, tokens=runs.step * 1e3, effective_tokens=runs.step * 1e3)
    noise = runs.losses - truth.predict(observe(truth, num_mixtures=12, sizes=sizes, steps=steps))
    runs = replace(runs, losses=truth.predict(runs) + noise - noise.mean())
    choice, scores = choose_joint(runs)
    target = Target(332e3, 332e3, 1e6, 1e6)
    shares = simplex_points(3)[:20]
    law = Joint(choice.forms, choice.settings).fit(runs, target)
    error = law.predict(shares) - truth.at(target).predict(shares)
    assert np.abs(error).mean() < 0.1
    assert all(np.isfinite(score.mae) for score in scores)


def test_too_little_for_folds_is_refused():
    observations = observe(planted_law("F1"), steps=np.array([28_000, 30_000]))
    with pytest.raises(FitError, match="no early cut"):
        choose_joint(observations)
