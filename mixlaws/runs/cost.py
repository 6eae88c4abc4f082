"""What an experiment will cost, from its config alone: the tables that `mixlaws plan` prints.

Each table is a list of rows with the same keys; `plan_tables` names them. Only the sizes of
local files and a given tokenizer are read.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mixlaws.errors import ConfigError
from mixlaws.files import atomic_path
from mixlaws.mixtures.lattice import NATURAL
from mixlaws.runs.devices import PEAK_FLOPS, assumed_mfu, runs_to_fill
from mixlaws.runs.lengths import num_proxy_tokens
from mixlaws.runs.replay import VERIFICATION
from mixlaws.runs.sections import Experiment, shape_of
from mixlaws.runs.supply import matched_repetition
from mixlaws.runs.sweep import CONFIRMATION, VERIFICATION_ROLE, Sweep, list_runs
from mixlaws.runs.text_cost import text_rows, text_tokens

Row = dict[str, Any]
_ROLES = {
    "sample": "sampled mixtures",
    "held-out": "held-out mixtures",
    "baseline": "baselines",
    "named": "named mixtures",
    CONFIRMATION: CONFIRMATION,
    VERIFICATION: VERIFICATION_ROLE,
}


def plan_tables(config: Experiment) -> dict[str, list[Row]]:
    """Return every table of the plan, by file name."""
    sweep = list_runs(config)
    return {
        "plan.csv": run_rows(config, sweep),
        "plan_domains.csv": domain_rows(config, sweep),
        "plan_text.csv": text_rows(config.model_dump(), vocabulary_size(config)),
    }


def run_rows(config: Experiment, sweep: Sweep) -> list[Row]:
    """Return one row per role and size: runs, tokens, FLOPs, device-hours; then the sum.

    The last row is the target. Only a confirmation trains it.
    """
    counts = Counter(
        (run.role if run.role == CONFIRMATION else run.kind, run.size, run.tokens)
        for run in sweep.runs
    )
    order = list(_ROLES)
    rows = [
        _run_row(config, _ROLES[kind], size, count, tokens)
        for (kind, size, tokens), count in sorted(
            counts.items(), key=lambda item: order.index(item[0][0])
        )
    ]
    target = config.target
    sums = [_sum_row(rows, kind) for kind in dict.fromkeys(row["role"] for row in rows)]
    planned = _run_row(config, "target, not trained here", target.size, 1, target.tokens)
    return [*rows, *sums, _sum_row(rows, None), planned]


def _sum_row(rows: Sequence[Row], role: str | None) -> Row:
    """Return the sum over one role's rows, or over all that is trained."""
    part = [row for row in rows if role in (row["role"], None)]
    sums = {name: sum(row[name] for row in part) for name in ("runs", "tokens", "flops", "hours")}
    blank = dict.fromkeys(rows[0], "")
    return blank | {"role": f"sum: {role}" if role else "sum of all"} | sums


def _run_row(config: Experiment, role: str, size: str, num_runs: int, tokens: int) -> Row:
    shape, flops_per_token = shape_of(config, size), _flops_per_token(config, size)
    hours = tokens / planned_rate(config, size) / 3600
    return {
        "role": role,
        "size": size,
        "parameters": shape.num_params,
        "runs": num_runs,
        "steps": tokens // config.training.batch_tokens,
        "tokens_per_run": tokens,
        "tokens": num_runs * tokens,
        "flops_per_token": flops_per_token,
        "flops": num_runs * tokens * flops_per_token,
        "device": config.plan.device,
        "utilisation": _utilisation(config, shape.num_params),
        "hours_per_run": hours,
        "hours": num_runs * hours,
    }


def planned_rate(config: Experiment, size: str) -> float:
    """Return the tokens a second that one device is expected to train a size on."""
    flops = _utilisation(config, shape_of(config, size).num_params)
    return flops * PEAK_FLOPS[config.plan.device] / _flops_per_token(config, size)


def _utilisation(config: Experiment, num_params: int) -> float:
    return config.plan.utilisation or assumed_mfu(config.plan.device, num_params)


def _flops_per_token(config: Experiment, size: str) -> int:
    return shape_of(config, size).flops_per_token(
        vocabulary_size=vocabulary_size(config), sequence_length=config.training.sequence_length
    )


def vocabulary_size(config: Experiment) -> int:
    """Return the vocabulary of the tokenizer that a config trains or names.

    Raises ConfigError if it cannot be opened: that of a base is there once the base is trained.
    """
    tokenizer, initial = config.tokenizer.model_dump(), config.training.initial
    if "train" in tokenizer:
        return int(tokenizer["train"]["vocabulary_size"])
    base = None if initial is None else initial.experiment
    if base and not Path(tokenizer["file"]).exists():
        raise ConfigError(
            f"training.initial: {base} has no tokenizer yet, {tokenizer['file']} is missing. Run "
            f"the experiment {base} first"
        )
    # Imported here: only a tokenizer that is given needs the library.
    from mixlaws.text.tokenizer import open_tokenizer

    return max(open_tokenizer(tokenizer).get_vocab().values()) + 1


def domain_rows(config: Experiment, sweep: Sweep) -> list[Row]:
    """Return one row per domain: the text at hand, what the largest runs need, their epochs."""
    mixtures = {mixture.id: mixture.proportions for mixture in sweep.mixtures}
    proxy = num_proxy_tokens(config)
    target, optimum = config.target.tokens, config.optimum
    cuts = {cut.domain: cut for cut in matched_repetition(config)}
    known = {
        domain: text_tokens(domain, source.model_dump(), config.validation.share)
        for domain, source in config.domains.items()
    }
    confirmed = _confirmed(sweep, {domain: tokens for domain, (tokens, _) in known.items()})
    rows = []
    for domain, source in config.domains.items():
        available, counted = known[domain]
        most = max(mixtures, key=lambda name: mixtures[name][domain])
        needed = round(mixtures[most][domain] * proxy)
        highest = optimum.limits.get(domain, [0.0, 1.0])[1]
        supply = source.available_tokens
        if supply:
            highest = min(highest, supply * optimum.max_epochs / target)
        cut = cuts.get(domain)
        at_hand = min(available, cut.tokens) if available and cut else available
        baseline = max(confirmed, key=lambda name: confirmed[name][domain], default=None)
        trained = round(confirmed[baseline][domain] * target) if baseline else None
        rows.append(
            {
                "domain": domain,
                "tokens_at_hand": available,
                "counted_by": counted,
                "largest_share": mixtures[most][domain],
                "in_mixture": most,
                "proxy_needs": needed,
                "proxy_epochs": needed / at_hand if at_hand else None,
                "confirmed_mixture": baseline,
                "confirmation_needs": trained,
                "confirmation_epochs": trained / available if trained and available else None,
                "target_share_at_most": highest,
                "target_needs_at_most": round(highest * target),
                "target_epochs_at_most": highest * target / supply if supply else None,
                "proxy_draws_from": cut.tokens if cut else None,
                "why": cut.reason if cut else "",
            }
        )
    return rows


def _confirmed(sweep: Sweep, at_hand: Mapping[str, int | None]) -> dict[str, dict[str, float]]:
    """Return the baselines that a confirmation trains; natural only if all text can be counted.

    The optimum is not among them: the text limits its shares when it is found.
    """
    counts = {domain: tokens or 0 for domain, tokens in at_hand.items()}
    known = sweep.proportions
    if NATURAL not in known and all(counts.values()):
        known |= {NATURAL: {d: tokens / sum(counts.values()) for d, tokens in counts.items()}}
    chosen = dict.fromkeys(run.mixture for run in sweep.confirmations)
    return {mixture: known[mixture] for mixture in chosen if mixture in known}


def write_plan(config: Experiment, folder: str | Path) -> str:
    """Write every table as CSV into a folder; return all as text, with the reasons for cuts."""
    tables = plan_tables(config)
    parts = []
    for name, rows in tables.items():
        with atomic_path(Path(folder) / name) as temporary, temporary.open("w") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        parts.append(f"{Path(folder) / name}\n{format_rows(rows)}")
    parts += [cut.reason for cut in matched_repetition(config)]
    parts += sharing_advice(config)
    return "\n\n".join(parts)


def sharing_advice(config: Experiment) -> list[str]:
    """Return a line of advice where proxies would leave most of a GPU idle, else nothing."""
    training = config.training
    if training.accelerator == "cpu" or training.devices > 1:
        return []
    counts = {
        size: runs_to_fill(config.plan.device, shape_of(config, size).num_params)
        for size in training.sizes
    }
    small = {size: count for size, count in counts.items() if count > training.runs_per_device}
    if not small:
        return []
    listed = ", ".join(f"{size} {count}" for size, count in small.items())
    return [
        "Small proxies leave most of a GPU idle. On a machine of your own, "
        f"training.runs_per_device lets them share it: up to {listed} (estimated from their "
        "utilisation, not measured). One number serves all sizes: choose it for the largest, or "
        "split the sweep"
    ]


def check_plan(config: Experiment) -> None:
    """Raise ConfigError naming every domain that a run would repeat beyond the allowed epochs.

    Repetition from match_repetition does not count against max_epochs.
    """
    allowed = config.training.max_epochs
    rows = domain_rows(config, list_runs(config))
    if short := [text for row in rows for text in _too_often(row, allowed)]:
        raise ConfigError(
            f"some runs would repeat a domain more than training.max_epochs ({allowed:g}) times: "
            f"{'; '.join(short)}. Give these domains more text, lower the tokens of a run, set "
            "upper limits in mixtures.limits, leave a mixture out of confirmation.mixtures, or "
            "raise training.max_epochs"
        )


def _too_often(row: Row, allowed: float) -> Iterator[str]:
    """Yield the runs that would repeat a domain too often: a proxy, a confirmation."""
    runs = {
        row["in_mixture"]: row["proxy_needs"],
        f"{row['confirmed_mixture']} of the confirmation": row["confirmation_needs"],
    }
    at_hand = row["tokens_at_hand"]
    for mixture, needed in runs.items():
        if at_hand and needed and needed > allowed * at_hand:
            yield (
                f"{row['domain']} ({at_hand:,} tokens, {row['counted_by']}; {mixture} needs "
                f"{needed:,}: {needed / at_hand:.2f} epochs)"
            )


def format_rows(rows: Sequence[Row]) -> str:
    """Return rows as an aligned text table, without the long column `why`."""
    names = [name for name in rows[0] if name != "why"]
    cells = [[name.replace("_", " ") for name in names]]
    cells += [[_cell(row[name]) for name in names] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    lines = ["  ".join(t.rjust(w) for t, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, int) and value < 10**12:
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float | int) else str(value)
