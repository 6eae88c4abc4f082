"""Readers of other tools' exports: their headers and rules, from the cited sources."""

import pandas as pd
import pytest
from own_tables import mixture_table, options

from mixlaws.errors import DataError
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.stage import read_swarm

# allenai/olmix at f6e1131a, olmix/fit/loaders.py, load_from_csv: "ratios.csv: columns [run_id,
# <domain columns...>]", "metrics.csv: columns [run_id, <metric columns...>]", `name` in both is
# optional, joined on run_id, sums within 0.01 of 1.
RATIOS = """run_id,name,web,code
ab12,first,0.75,0.25
cd34,second,0.4,0.6
"""
METRICS = """run_id,name,eval/lm/web/CE loss,eval/lm/code/CE loss,eval/downstream/arc (accuracy)
cd34,second,3.5,2.0,0.3
ab12,first,3.0,2.5,0.4
"""


def olmix(tmp_path, metrics=METRICS):
    (tmp_path / "ratios.csv").write_text(RATIOS)
    (tmp_path / "metrics.csv").write_text(metrics)
    files = {"mixtures": tmp_path / "ratios.csv", "losses": tmp_path / "metrics.csv"}
    stated = {"size": "30M", "tokens": 3_000_000_000, "loss_columns": "eval/lm/*/CE loss"}
    files = {name: str(path) for name, path in files.items()}
    return read_swarm(options(files, reader="olmix", **stated))


def test_olmix(tmp_path):
    found = make_observations(olmix(tmp_path))
    assert (found.domains, found.validation_domains) == (("web", "code"), ("web", "code"))
    assert found.mixture.tolist() == ["ab12", "cd34"]
    assert found.losses.tolist() == [[3.0, 2.5], [3.5, 2.0]]
    assert found.proportions.tolist() == [[0.75, 0.25], [0.4, 0.6]]
    assert (found.num_params[0], found.tokens[0]) == (3e7, 3e9)
    with pytest.raises(DataError, match=r"has no column run_id: it is no metrics.csv of Olmix"):
        olmix(tmp_path, METRICS.replace("run_id", "run"))


# LauraWenderoth/Bachelorarbeit_Kidney_Stain_Transfer at 12fbf33e,
# graphics/wandb_export_2022-08-25T22_43_23.724+02_00.csv: every value is quoted, columns come in
# threes. Columns `RUN - _step` appear in exports whose x axis is another.
WANDB = """"Step","a - val/web","a - val/web__MIN","a - val/web__MAX","b - x - val/web",\
"b - x - val/web__MIN","b - x - val/web__MAX","a - _step","a - _step__MIN","a - _step__MAX"
"105","3.5","3.5","3.5","3.25","3.25","3.25","105","105","105"
"211","3.0","3.0","3.0","","","","211","211","211"
"212","","","","2.75","2.75","2.75","","",""
"""


def wandb(tmp_path, text=WANDB, **changes):
    (tmp_path / "export-web.csv").write_text(text)
    (tmp_path / "export-code.csv").write_text(text.replace("val/web", "val/code"))
    mixtures = mixture_table()[:2].replace({"id": {"b": "b - x"}})
    mixtures.to_csv(tmp_path / "mixtures.csv", index=False)
    files = {
        "losses": str(tmp_path / "export-*.csv"),
        "mixtures": str(tmp_path / "mixtures.csv"),
    }
    stated = {"size": "1M", "tokens_per_step": 1000, "loss_columns": "val/*"} | changes
    return read_swarm(options(files, reader="wandb", **stated))


def test_wandb(tmp_path):
    found = make_observations(wandb(tmp_path))
    assert found.validation_domains == ("code", "web")
    assert list(zip(found.mixture, found.step, found.losses[:, 1], strict=True)) == [
        ("a", 105, 3.5), ("a", 211, 3.0), ("b - x", 105, 3.25), ("b - x", 212, 2.75)
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"has no column Step: its x axis is epoch. Export the"):
        wandb(tmp_path, WANDB.replace("Step", "epoch"))
    with pytest.raises(DataError, match=r"export-\*.csv has no column RUN - loss/\*. Say which"):
        wandb(tmp_path, loss_columns="loss/*")
    shown = pd.read_csv(tmp_path / "export-web.csv")
    assert {name.split("__")[-1] for name in shown} >= {"MIN", "MAX"}
