"""A planted results folder: every file the figures and the page read, consistent with one truth.

Loss of validation domain i: E_i + M_i(r) + A_i (N / 1e5)^-0.4 + B_i (D / 1e6)^-0.5 + noise, with
M_i(r) = 1 / sum_j C_ij r_j^0.5. Its nested laws are exact, so observed and predicted are known.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from mixlaws.losses import LOSS_COLUMNS
from mixlaws.runtime import TRAINING_VERSION

EXTRA = ("tests", "rst")
SIZES = {"25K": 25_000, "56K": 56_000, "99K": 99_000, "332K": 332_000}
TARGET = "332K"
TARGET_TOKENS = 1_228_800
BATCH_TOKENS = 1_024
STEPS = (60, 116, 224, 432, 600)
NOISE = 0.02
HALF_WIDTH = 0.03


@dataclass(frozen=True)
class Planted:
    """The truth behind the tables: K training domains, V validation domains."""

    num_domains: int = 3
    num_sizes: int = 3
    confirmed: bool = True
    flat: bool = False
    """Whether every domain helps alike, so that no mixture is better than another by much."""
    law_beats_linear: bool = True
    training_version: int = TRAINING_VERSION

    @property
    def domains(self):
        names = ["python", "docs", "cpp"]
        return [*names, *(f"domain{j}" for j in range(4, 60))][: self.num_domains]

    @property
    def validation_domains(self):
        return [*self.domains, *EXTRA]

    @property
    def sizes(self):
        return dict(list(SIZES.items())[: self.num_sizes])

    @property
    def strengths(self):
        """(V, K) C_ij: a domain helps itself most."""
        rng = np.random.default_rng(1)
        base = rng.uniform(0.25, 0.55, (len(self.validation_domains), self.num_domains))
        own = np.eye(len(self.validation_domains), self.num_domains)
        own[-2, 0], own[-1, 1] = 0.5, 0.5
        return 0.4 + 0.1 * own if self.flat else base + 0.9 * own

    @property
    def weights(self):
        shares = np.r_[0.15, 0.7, np.full(self.num_domains - 2, 0.15)]
        return dict(zip(self.domains, (shares / shares.sum()).tolist(), strict=True))

    def config(self):
        return {
            "experiment": "demo",
            "seed": 0,
            "domains": {d: {"source": "embedded", "harvest": d} for d in self.domains},
            "validation": {
                "domains": {d: {"source": "embedded", "harvest": d} for d in EXTRA},
                "weights": self.weights,
            },
            "mixtures": {"design": "maximin", "count": 8, "held_out": 2, "lattice": 64},
            "training": {"sizes": list(self.sizes), "seeds": [0], "num_steps": STEPS[-1]},
            "target": {"size": TARGET, "tokens": TARGET_TOKENS},
            "uncertainty": {"replicates": 200, "level": 0.9},
        }

    def mixing(self, proportions):
        """Return M (m, V) for proportions (m, K)."""
        return 1 / (np.sqrt(np.atleast_2d(proportions)) @ self.strengths.T + 0.05)

    def losses(self, num_params, tokens, proportions):
        """Return losses (m, V) in nats."""
        scale = np.linspace(1.0, 1.3, len(self.validation_domains))
        reducible = 0.6 * (num_params / 1e5) ** -0.4 + 0.8 * (tokens / 1e6) ** -0.5
        return 1.0 + self.mixing(proportions) + scale * reducible

    def overall(self, losses):
        """Return (m,) weighted losses of losses (m, V)."""
        return losses[:, : self.num_domains] @ np.array(list(self.weights.values()))

    def target_overall(self, proportions):
        return self.overall(self.losses(SIZES[TARGET], TARGET_TOKENS, proportions))

    def optimum(self):
        """Return (K,) the best proportions."""
        count = self.num_domains
        found = minimize(
            lambda r: self.target_overall(np.clip(r, 1e-9, 1))[0],
            np.full(count, 1 / count),
            bounds=[(0, 1)] * count,
            constraints={"type": "eq", "fun": lambda r: r.sum() - 1},
        )
        return np.clip(found.x, 0, None) / np.clip(found.x, 0, None).sum()


def write_results(folder, planted=Planted()):
    """Write the whole folder and return its config."""
    folder = Path(folder)
    (folder / "laws").mkdir(parents=True, exist_ok=True)
    mixtures = _mixtures(planted)
    _write(mixtures, folder / "mixtures.csv")
    _write(_accounting(planted), folder / "accounting.csv")
    _write(_contamination(planted), folder / "contamination.csv")
    _write(_runs(planted, mixtures, planted.sizes, [0]), folder / "runs.csv")
    _losses(planted, mixtures, planted.sizes, [0]).to_parquet(folder / "losses.parquet")
    for name, table in _laws(planted, mixtures).items():
        _write(table, folder / "laws" / f"{name}.csv")
    (folder / "laws" / "choice.json").write_text(json.dumps(_choice()))
    optimum = _optimum(planted, mixtures)
    (folder / "optimum.json").write_text(json.dumps(optimum, sort_keys=True))
    _write_costs(folder)
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "recipes" / "megatron.txt").write_text("--data-path 0.5 python <0.5> docs\n")
    if planted.confirmed:
        _confirm(folder, planted, optimum)
    return planted.config()


def _write(table, path):
    table.to_csv(path, index=False)


def _shares(planted, proportions):
    return {f"r_{d}": r for d, r in zip(planted.domains, np.asarray(proportions), strict=True)}


def _mixtures(planted):
    count = planted.num_domains
    draws = np.random.default_rng(2).dirichlet(np.full(count, 0.9), 10)
    rows = [(f"mix-{i + 1:03d}", "sample", draws[i]) for i in range(8)]
    rows += [(f"held-{i - 7:03d}", "held-out", (draws[i] + 1 / count) / 2) for i in (8, 9)]
    rows += [("uniform", "baseline", np.full(count, 1 / count))]
    rows += [("natural", "baseline", _natural(count))]
    return pd.DataFrame([{"id": i, "kind": k} | _shares(planted, r) for i, k, r in rows])


def _natural(count):
    return np.arange(count, 0, -1) / np.arange(count, 0, -1).sum()


def _contamination(planted):
    rows = [
        {
            "validation_domain": validation,
            "training_domain": training,
            "num_validation_documents": 200,
            "num_overlapping": 3 if validation == training else 0,
            "share": 0.015 if validation == training else 0.0,
            "num_removed_exact": 1 if validation == training else 0,
            "num_removed_near": 4 if validation == training else 0,
        }
        for validation in planted.validation_domains
        for training in planted.domains
    ]
    return pd.DataFrame(rows)


def _proportions(planted, table):
    return table[[f"r_{d}" for d in planted.domains]].to_numpy()


def _accounting(planted):
    rows = []
    for index, domain in enumerate(planted.validation_domains):
        trained = domain in planted.domains
        for split in ("train", "validation") if trained else ("validation",):
            kept = (900 if split == "train" else 100) * (index + 1)
            tokens = kept * 1_000
            natural = _natural(planted.num_domains)[index] if split == "train" else np.nan
            rows.append(
                {
                    "domain": domain,
                    "role": "training" if trained else "validation-only",
                    "split": split,
                    "num_documents_read": kept + 30,
                    "num_documents_kept": kept,
                    "num_dropped_exact": 10,
                    "num_dropped_near": 15,
                    "num_dropped_other": 5,
                    "num_documents_cut": 0,
                    "num_bytes": int(tokens * 2.6),
                    "num_tokens": tokens,
                    "bytes_per_token": 2.6,
                    "tokens_per_document": 1_000.0,
                    "sha256": "ab" * 32,
                    "natural_share": natural,
                    "fingerprint_source": "0123456789ab",
                    "fingerprint_tokenizer": "ba9876543210",
                }
            )
    return pd.DataFrame(rows)


def _runs(planted, mixtures, sizes, seeds):
    rows = []
    for size, num_params in sizes.items():
        steps = TARGET_TOKENS // BATCH_TOKENS if size == TARGET else STEPS[-1]
        for _, mixture in mixtures.iterrows():
            for seed in seeds:
                tokens = steps * BATCH_TOKENS
                row = {"size": size, "mixture": mixture["id"], "seed": seed}
                row |= {"num_layers": 2, "model_width": 32, "num_heads": 2}
                row |= {"num_params": num_params, "flops_per_token": 8 * num_params}
                row |= {"schedule": "constant", "batch_tokens": BATCH_TOKENS, "num_steps": steps}
                row |= {"tokens": tokens, "flops": 8 * num_params * tokens}
                row |= {"training_version": planted.training_version, "seconds": 12.5}
                rows.append(row | {"tokens_per_second": tokens / 12.5} | _named(planted, mixture))
    return pd.DataFrame(rows)


def _named(planted, row):
    return {f"r_{d}": row[f"r_{d}"] for d in planted.domains}


def _losses(planted, mixtures, sizes, seeds):
    rng = np.random.default_rng(3)
    rows = []
    for size, num_params in sizes.items():
        last = TARGET_TOKENS // BATCH_TOKENS if size == TARGET else STEPS[-1]
        for id, r in zip(mixtures["id"], _proportions(planted, mixtures), strict=True):
            for seed in seeds:
                noise = rng.normal(0, NOISE, len(planted.validation_domains))
                for step in [*STEPS[:-1], last]:
                    losses = planted.losses(num_params, step * BATCH_TOKENS, r)[0] + noise
                    rows += [
                        (size, id, seed, step, step * BATCH_TOKENS, d, loss, 1 / loss, loss / 1.8)
                        for d, loss in zip(planted.validation_domains, losses, strict=True)
                    ]
    table = pd.DataFrame(rows, columns=list(LOSS_COLUMNS))
    return table.sort_values(["size", "mixture", "seed", "step", "validation_domain"])


def _laws(planted, mixtures):
    fitted = mixtures[mixtures["kind"] != "held-out"]
    tables = {
        "step_law": _step_law(planted, fitted),
        "mixing_law": _mixing_law(planted),
        "scores": _scores(planted),
        "predictions": _predictions(planted, mixtures),
        "surface": _surface(planted),
        "interaction": _interaction(planted),
    }
    if planted.num_sizes > 1:
        tables["size_law"] = _size_law(planted, fitted)
    return tables


def _choice():
    reasons = {
        "mixing": "its mean error on unseen mixtures is 0.030 nats",
        "pipeline": "pinned by laws.pipeline in the config",
    }
    return {"pipeline": "nested", "mixing": "additive", "reasons": reasons}


def _scales(planted):
    return np.linspace(1.0, 1.3, len(planted.validation_domains))


def _step_law(planted, mixtures):
    rows = []
    for size, num_params in planted.sizes.items():
        for id, r in zip(mixtures["id"], _proportions(planted, mixtures), strict=True):
            irreducible = planted.losses(num_params, np.inf, r)[0]
            for domain, E, scale in zip(
                planted.validation_domains, irreducible, _scales(planted), strict=True
            ):
                row = {"size": size, "mixture": id, "seed": 0, "validation_domain": domain}
                row |= {"E": E, "B": 0.8 * scale, "beta": 0.5, "reference_tokens": 1e6}
                row |= {"first_tokens": 100_000, "num_points": 4, "rmse": 0.01}
                rows.append(row | {"num_agreeing": 3, "at_bound": ""})
    return pd.DataFrame(rows)


def _size_law(planted, mixtures):
    rows = []
    for id, r in zip(mixtures["id"], _proportions(planted, mixtures), strict=True):
        irreducible = planted.losses(np.inf, TARGET_TOKENS, r)[0]
        for i, domain in enumerate(planted.validation_domains):
            row = {"mixture": id, "validation_domain": domain, "E": irreducible[i]}
            row |= {"A": 0.6 * _scales(planted)[i], "alpha": 0.4, "reference_params": 1e5}
            row |= {"tokens": TARGET_TOKENS, "num_points": planted.num_sizes, "rmse": 0.004}
            alone = id == "mix-001" and domain == "cpp"
            rows.append(row | {"num_agreeing": 1 if alone else 3, "at_bound": "E" if alone else ""})
    return pd.DataFrame(rows)


def _mixing_law(planted):
    rows = []
    for i, validation_domain in enumerate(planted.validation_domains):
        rows.append(("additive", validation_domain, "c", "", 2.0))
        for j, domain in enumerate(planted.domains):
            rows.append(("additive", validation_domain, "C", domain, planted.strengths[i, j]))
    return pd.DataFrame(rows, columns=["law", "validation_domain", "parameter", "domain", "value"])


def _scores(planted):
    additive = 0.03 if planted.law_beats_linear else 0.08
    laws = {"additive": additive, "exponential": 0.04, "linear": 0.06, "mean": 0.2}
    rows = []
    for fold, count in (("leave-one-mixture-out", 10), ("held-out", 2)):
        for domain in [*planted.validation_domains, "overall"]:
            for law, mae in (laws | {"best-observed": np.nan}).items():
                row = {"law": law, "fold": fold, "size": list(planted.sizes)[-1]}
                row |= {"tokens": STEPS[-1] * BATCH_TOKENS, "validation_domain": domain}
                row |= {"num_mixtures": count, "mae": mae, "r2": 1 - (mae / 0.3) ** 2}
                row |= {"spearman": 1 - mae if law != "mean" else np.nan, "regret": mae / 4}
                rows.append(row | {"decides": law == "additive"})
    return pd.DataFrame(rows)


def _predictions(planted, mixtures):
    size, num_params = list(planted.sizes.items())[-1]
    kinds = {"held-out": ["held-out"]}
    rng = np.random.default_rng(5)
    rows = []
    for _, mixture in mixtures.iterrows():
        losses = planted.losses(num_params, STEPS[-1] * BATCH_TOKENS, [list(mixture[2:])])
        values = [*losses[0], planted.overall(losses)[0]]
        for kind in kinds.get(mixture["kind"], ["fitted", "leave-one-mixture-out"]):
            for domain, value in zip([*planted.validation_domains, "overall"], values, strict=True):
                error = rng.normal(0, 0.005 if kind == "fitted" else NOISE)
                row = {"law": "additive", "kind": kind, "size": size}
                row |= {"tokens": STEPS[-1] * BATCH_TOKENS, "mixture": mixture["id"]}
                row |= {"validation_domain": domain, "predicted": value + error}
                interval = kind != "fitted"
                row["lower"] = value + error - HALF_WIDTH if interval else np.nan
                row["upper"] = value + error + HALF_WIDTH if interval else np.nan
                rows.append(row)
    return pd.DataFrame(rows)


def grid(planted):
    """Return the mixtures of laws/surface.csv: a lattice for K <= 3, else paths over each share."""
    shares = np.linspace(0, 1, 25)
    if planted.num_domains == 2:
        return np.c_[shares, 1 - shares]
    if planted.num_domains == 3:
        pairs = np.array([(a, b) for a in shares for b in shares if a + b <= 1 + 1e-9])
        return np.c_[pairs, np.clip(1 - pairs.sum(axis=1), 0, 1)]
    best = planted.optimum()
    paths = []
    for j in range(planted.num_domains):
        others = np.delete(best, j) / (1 - best[j])
        paths += [np.insert(others * (1 - share), j, share) for share in shares]
    return np.array(paths)


def _surface(planted):
    points = grid(planted)
    table = pd.DataFrame(points, columns=[f"r_{d}" for d in planted.domains])
    overall = planted.target_overall(points)
    return table.assign(
        overall=overall, overall_lower=overall - HALF_WIDTH, overall_upper=overall + HALF_WIDTH
    )


def _interaction(planted):
    count = planted.num_domains
    uniform = np.full(count, 1 / count)
    rows = []
    for j, domain in enumerate(planted.domains):
        moved = uniform * (1 - 0.1 / (1 - uniform[j]))
        moved[j] = uniform[j] + 0.1
        change = planted.mixing(moved)[0] - planted.mixing(uniform)[0]
        rows += [(v, domain, c) for v, c in zip(planted.validation_domains, change, strict=True)]
    return pd.DataFrame(rows, columns=["validation_domain", "domain", "effect"])


def _interval(value, half_width=HALF_WIDTH):
    return {"value": value, "lower": value - half_width, "upper": value + half_width}


def _optimum(planted, mixtures):
    best = planted.optimum()
    losses = planted.losses(SIZES[TARGET], TARGET_TOKENS, best)
    overall = float(planted.overall(losses)[0])
    named = dict(zip(planted.domains, best.tolist(), strict=True))
    ranges = {d: [max(0.0, r - 0.06), min(1.0, r + 0.06)] for d, r in named.items()}
    predicted = {"overall": _interval(overall)}
    predicted |= dict(zip(planted.validation_domains, map(_interval, losses[0]), strict=True))
    table = mixtures.set_index("id")
    observed = table[table["kind"] != "held-out"]
    at_target = planted.target_overall(_proportions(planted, observed))
    baselines = {}
    chosen = {"uniform": "uniform", "natural": "natural"}
    chosen["best_observed"] = observed.index[int(np.argmin(at_target))]
    for name, id in chosen.items():
        r = _proportions(planted, table.loc[[id]])
        value = float(planted.target_overall(r)[0])
        baselines[name] = {
            "mixture": id,
            "proportions": dict(zip(planted.domains, r[0].tolist(), strict=True)),
            "overall": _interval(value),
            "gain": _interval(value - overall, 0.02),
        }
    return {
        "experiment": "demo",
        "target": {"size": TARGET, "num_params": SIZES[TARGET], "tokens": TARGET_TOKENS},
        "objective": {"weights": planted.weights},
        "pipeline": "nested",
        "mixing": "additive",
        "level": 0.9,
        "replicates": 200,
        "proportions": named,
        "intervals": ranges,
        "predicted": predicted,
        "unconstrained": {"proportions": named, "overall": overall},
        "limits": {d: [0.0, 1.0] for d in planted.domains},
        "active_constraints": [],
        "num_failed_replicates": 0,
        "certificate": {"convex": True, "gap": 1e-8, "num_starts": 1},
        "near_optimal": {"tolerance": 0.02, "ranges": ranges},
        "baselines": baselines,
    }


def _write_costs(folder):
    """Write what Snakemake's benchmark files hold."""
    for name in ("fit_laws", "find_optimum", "tokenize_shard/python/00000-of-00001"):
        path = folder / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\th:m:s\tmax_rss\n2.5\t0:00:02\t120.5\n")


def _confirm(folder, planted, optimum):
    ids = {"optimum": list(optimum["proportions"].values())}
    for name in ("uniform", "natural"):
        ids[name] = list(optimum["baselines"][name]["proportions"].values())
    mixtures = pd.DataFrame(
        [{"id": i, "kind": "baseline"} | _shares(planted, r) for i, r in ids.items()]
    )
    target = {TARGET: SIZES[TARGET]}
    _write(_runs(planted, mixtures, target, [0, 1]), folder / "confirmation_runs.csv")
    losses = _losses(replace(planted), mixtures, target, [0, 1])
    losses.to_parquet(folder / "confirmation.parquet")
    last = losses[losses["tokens"] == TARGET_TOKENS]
    wide = last.pivot(index=["mixture", "seed"], columns="validation_domain", values="loss")[
        planted.validation_domains
    ]
    overall = pd.Series(planted.overall(wide.to_numpy()), index=wide.index).unstack("seed")
    predicted = {"optimum": optimum["predicted"]["overall"]}
    predicted |= {n: optimum["baselines"][n]["overall"] for n in ("uniform", "natural")}
    gains = {}
    for name in ("uniform", "natural"):
        per_seed = (overall.loc[name] - overall.loc["optimum"]).tolist()
        gains[name] = {
            "observed": float(np.mean(per_seed)),
            "predicted": optimum["baselines"][name]["gain"],
            "per_seed": per_seed,
            "beyond_noise": bool(np.mean(per_seed) > 2 * NOISE),
        }
    mean = wide.groupby("mixture").mean()
    record = {
        "size": TARGET,
        "tokens": TARGET_TOKENS,
        "seeds": [0, 1],
        "noise": NOISE,
        "mean_absolute_error": 0.021,
        "mixtures": {
            id: {
                "observed": overall.loc[id].tolist(),
                "mean": float(overall.loc[id].mean()),
                "predicted": predicted[id],
            }
            for id in ids
        },
        "domains": {
            d: {
                id: {
                    "mean": float(mean.loc[id, d]),
                    "predicted": _interval(
                        float(planted.losses(SIZES[TARGET], TARGET_TOKENS, r)[0][i])
                    ),
                }
                for id, r in ids.items()
            }
            for i, d in enumerate(planted.validation_domains)
        },
        "gains": gains,
    }
    (folder / "confirmation.json").write_text(json.dumps(record, sort_keys=True))
