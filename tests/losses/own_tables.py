"""Small tables of losses and mixtures, as a user would write them."""

import pandas as pd

from mixlaws.config.complete import complete_config

SHARES = {"a": (0.75, 0.25), "b": (0.5, 0.5), "c": (0.25, 0.75), "d": (0.125, 0.875)}
SIZES = {"1M": 1e6, "4M": 4e6, "16M": 16e6}
STEPS = (10, 20, 40)
TOKENS_PER_STEP = 1000


def loss_of(count, share, step, place):
    return 2.0 + 9 * count**-0.2 + step**-0.5 + (place - 0.5) * share


def long_table():
    rows = [
        (size, mixture, step * TOKENS_PER_STEP, domain, loss_of(count, web, step, place))
        for size, count in SIZES.items()
        for mixture, (web, _) in SHARES.items()
        for step in STEPS
        for place, domain in enumerate(("web", "code"))
    ]
    return pd.DataFrame(rows, columns=["size", "mixture", "tokens", "validation_domain", "loss"])


def grid_table():
    """Return losses of four sizes, six checkpoints and six mixtures: enough to score laws."""
    rows = [
        (size, mixture, step * TOKENS_PER_STEP, domain, loss_of(count, share, step, place))
        for size, count in (SIZES | {"64M": 64e6}).items()
        for mixture, share in zip("abcdef", (0.75, 0.5, 0.25, 0.125, 0.875, 0.375), strict=True)
        for step in (10, 20, 40, 80, 160, 320)
        for place, domain in enumerate(("web", "code"))
    ]
    return pd.DataFrame(rows, columns=["size", "mixture", "tokens", "validation_domain", "loss"])


def grid_mixtures():
    shares = [0.75, 0.5, 0.25, 0.125, 0.875, 0.375]
    return pd.DataFrame({"id": list("abcdef"), "web": shares, "code": [1 - s for s in shares]})


def wide_table():
    key = ["size", "mixture", "tokens"]
    wide = long_table().pivot(index=key, columns="validation_domain", values="loss")
    return wide.add_prefix("loss/").reset_index()


def mixture_table():
    rows = [{"id": name, "web": web, "code": code} for name, (web, code) in SHARES.items()]
    return pd.DataFrame(rows)


def write(folder, losses=None, mixtures=None, suffix="csv"):
    """Write both tables; return their paths by name, as text."""
    tables = {
        "losses": long_table() if losses is None else losses,
        "mixtures": mixture_table() if mixtures is None else mixtures,
    }
    paths = {name: folder / f"{name}.{suffix}" for name in tables}
    for name, table in tables.items():
        if suffix == "parquet":
            table.to_parquet(paths[name], index=False)
        else:
            table.to_csv(paths[name], index=False)
    return {name: str(path) for name, path in paths.items()}


def options(files, **changes):
    """Return the config's `losses` with every default."""
    config = complete_config({"experiment": "own", "losses": {"files": files, **changes}})
    return config["losses"]
