import math

import pytest

from mixlaws.errors import DataError
from mixlaws.runtime import atomic_path, read_json, source_digest, write_json


def test_a_failed_write_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "deep" / "record.json"
    write_json({"b": 1, "a": [0.1]}, path)
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert read_json(path) == {"a": [0.1], "b": 1}
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def test_json_is_sorted_and_refuses_nan(tmp_path):
    write_json({"b": 1, "a": 2}, tmp_path / "x.json")
    assert (tmp_path / "x.json").read_text() == '{\n  "a": 2,\n  "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"a": math.nan}, tmp_path / "y.json")
    assert not (tmp_path / "y.json").exists()


def test_damaged_and_missing_records_are_named(tmp_path):
    with pytest.raises(DataError, match=r"gone.json must exist"):
        read_json(tmp_path / "gone.json")
    (tmp_path / "half.json").write_text('{"a": ')
    with pytest.raises(DataError, match=r"half.json must be valid JSON, but .* delete it"):
        read_json(tmp_path / "half.json")


def test_the_source_digest_covers_what_it_names():
    assert source_digest("laws/*.py") == source_digest("laws/*.py")
    assert source_digest("errors.py") != source_digest("sizes.py")
    with pytest.raises(DataError, match="matches none"):
        source_digest("no_such_module.py")
