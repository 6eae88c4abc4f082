"""Runs on different text are refused; the message names the difference and the runs."""

import json

import pandas as pd
import pytest

from mixlaws.errors import DataError
from mixlaws.losses.collect import join_runs
from mixlaws.losses.fingerprints import check_records, check_runs, text_fingerprint
from mixlaws.losses.tables import RUN_COLUMNS

SAME = {"source": "aaa", "filter": "bbb", "tokenizer": "ccc", "version": "2"}


def record(mixture, **changes):
    sums = {"web/train": changes.pop("sha256", "0" * 64), "web/validation": "1" * 64}
    files = {"web/train": SAME | changes, "web/validation": dict(SAME)}
    run = {"size": "2K", "mixture": mixture, "seed": 0}
    return run | {"fingerprints": files, "token_files": sums}


def test_equal_text_passes():
    records = [record("mix-000"), record("mix-001")]
    check_records(records)
    assert text_fingerprint(records[0]) == text_fingerprint(records[1])
    assert text_fingerprint(record("mix-000", version="3")) != text_fingerprint(records[0])


def test_other_bytes_of_the_same_sources_are_refused():
    """Replacing a file by another of the same size does not change the list of sources."""
    other = record("mix-001", sha256="f" * 64)
    with pytest.raises(DataError, match=r"the sha256 of web/train is 0{12} in 2K/mix-000/seed-0"):
        check_records([record("mix-000"), other])
    assert text_fingerprint(other) != text_fingerprint(record("mix-001"))


@pytest.mark.parametrize("part", SAME)
def test_different_text_is_refused_by_name(part):
    records = [record("mix-000"), record("mix-001"), record("mix-002", **{part: "eee"})]
    with pytest.raises(DataError) as caught:
        check_records(records)
    assert str(caught.value) == (
        f"the runs saw different text: the {part} of web/train is {SAME[part]} in "
        "2K/mix-000/seed-0, 2K/mix-001/seed-0 and eee in 2K/mix-002/seed-0. Delete the runs on "
        "unwanted text and rerun"
    )


def test_tables_of_runs_are_joined_only_on_the_same_text(tmp_path):
    paths = []
    for number, tokenizer in enumerate(("ccc", "fff")):
        found = dict.fromkeys(RUN_COLUMNS, 1) | record(f"mix-{number}", tokenizer=tokenizer)
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(found | {"proportions": {"web": 1.0}}))
    timing = tmp_path / "timing.json"
    timing.write_text(json.dumps({"seconds": 1, "tokens_per_second": 1}))
    with pytest.raises(DataError, match="the tokenizer of web/train is ccc in 2K/mix-0/seed-0 and"):
        join_runs(paths, [timing] * 2)
    table = join_runs(paths[:1], [timing])
    assert table["text_fingerprint"].tolist() == [text_fingerprint(record("mix-0"))]


def test_fits_refuse_a_table_of_two_texts():
    runs = pd.DataFrame(
        {"size": "2K", "mixture": ["mix-000", "mix-001"], "text_fingerprint": ["aaa", "bbb"]}
    )
    with pytest.raises(DataError, match=r"in runs\.csv is aaa in 2K/mix-000 and bbb in 2K/mix-001"):
        check_runs(runs, "runs.csv")
    check_runs(runs.drop(columns="text_fingerprint"), "own.csv")
