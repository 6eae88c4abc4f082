"""The results folder of the reproduction: its files, and numbers that are shown several times."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.figure_folder import FigureFolder
from mixlaws.files import read_json
from mixlaws.laws.overall import OVERALL
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.verdicts import AGREES, COLUMNS
from mixlaws.tables import read_table


class PaperResults:
    """The files of the reproduction, one folder per study.

    `config` contains all defaults. Reading a missing file raises DataError.
    """

    def __init__(self, folder: str | Path, config: Mapping[str, Any]) -> None:
        self.folder = Path(folder)
        self.config = config
        published = config["published"]
        self.settings: Mapping[str, Any] = published["figures"]
        self.groups: Mapping[str, Any] = published["validation_groups"]
        self.claims = {claim["id"]: claim.get("value") for claim in published["claims"]}
        self.figures = FigureFolder(self.folder / "figures")

    def table(self, study: str, name: str) -> pd.DataFrame:
        """Return a table of a study."""
        return read_table(self.folder / study / f"{name}.csv", [])

    def record(self, study: str, name: str) -> dict[str, Any]:
        """Return a JSON record of a study."""
        return dict(read_json(self.folder / study / f"{name}.json"))

    def study(self, name: str) -> Swarm:
        """Return the swarm of a study."""
        return Swarm.load(self.folder / name)

    @cached_property
    def verdicts(self) -> pd.DataFrame:
        """Return every claim with its verdict."""
        return read_table(self.folder / "paper_verdicts.csv", COLUMNS).fillna("")

    @cached_property
    def optimum(self) -> dict[str, Any]:
        """Return the record of the joint laws' optimum."""
        return self.record("redpajama", "optimum")

    @cached_property
    def budget(self) -> dict[str, Any] | None:
        """Return the best size and tokens for the config's FLOPs; None if it states none."""
        return self.record("redpajama", "budget") if "compute_budget" in self.config else None

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Return the losses at the target, predicted by algorithm 1 and observed."""
        return self.table("redpajama", "target_predictions")

    @cached_property
    def joint_predictions(self) -> pd.DataFrame:
        """Return the losses at the target's size, predicted by the joint laws and observed."""
        return self.table("redpajama", "joint_predictions")

    @cached_property
    def ratios(self) -> pd.DataFrame:
        """Return the steps that each mixture needs to match the other."""
        return self.table("redpajama", "steps_to_match")

    @cached_property
    def critical(self) -> pd.DataFrame:
        """Return the critical proportions of continual pre-training."""
        return self.table("continual", "critical_proportions")

    def predicted(self, law: str, role: str) -> float:
        """Return the overall loss that a law predicts at the target."""
        rows = self.predictions
        found = rows[(rows["law"] == law) & (rows["role"] == role) & (rows["panel"] == OVERALL)]
        return float(found["predicted"].iloc[0])

    def observed(self, role: str) -> float:
        """Return the observed overall loss at the target."""
        rows = self.predictions
        found = rows[(rows["role"] == role) & (rows["panel"] == OVERALL)]
        return float(found["observed"].iloc[0])

    def joint(self, role: str) -> float:
        """Return the joint laws' overall loss at the target."""
        rows, target = self.joint_predictions, self.settings["extrapolation"]
        rows = rows[(rows["panel"] == OVERALL) & (rows["step"] == target["target"]["step"])]
        return float(rows.loc[rows["mixture"] == target[role], "predicted"].iloc[0])

    def place_of_optimised(self, grid: pd.DataFrame, law: str) -> int:
        """Return the rank of the paper's optimised mixture among the candidates; 1 is the best."""
        shares = [str(name) for name in grid if str(name).startswith("r_")]
        sampled = self.table("redpajama", "extrapolated").set_index("mixture")[shares]
        paper = sampled.loc[self.settings["extrapolation"]["optimised"]].to_numpy(dtype=float)
        same = (grid[shares] - paper).abs().max(axis=1) < 1e-9
        return int((grid[law] < grid.loc[same, law].iloc[0]).sum()) + 1

    def agreeing(self, item: str) -> str:
        """Return how many numbers of a figure or table agree, for example `3 of 4`."""
        rows = self.verdicts[self.verdicts["item"] == item]
        return f"{(rows['verdict'] == AGREES).sum()} of {len(rows)}"

    def claimed(self, name: str) -> float:
        """Return the number that the paper claims."""
        return float(self.claims[name])
