import pytest

from mixlaws.config.repeated_keys import check_repeated_keys
from mixlaws.errors import ConfigError


def test_keys_that_occur_twice_are_named_with_their_lines(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("domains:\n  web: {}\n  docs: {}\n  web: {}\nseed: 1\nseed: 2\n")
    with pytest.raises(ConfigError) as error:
        check_repeated_keys([path])
    assert str(error.value) == (
        "duplicate keys in the config. Rename or remove one of each:\n"
        f"  - {path}: domains.web on lines 2 and 4\n"
        f"  - {path}: seed on lines 5 and 6"
    )
    path.write_text("domains: {web: {}, docs: {}}\nother: {web: 1}\n")
    check_repeated_keys([path])


def test_keys_that_yaml_reads_as_something_else_get_their_quotes(tmp_path):
    path = tmp_path / "codes.yaml"
    path.write_text(
        "domains:\n  no: {source: files}\n  2019: {}\n  2020-01-02: {}\n  1.5: {}\n  ~: {}\n"
        "  'yes': {}\n  de: {}\n  1e3: {}\n"
    )
    with pytest.raises(ConfigError) as error:
        check_repeated_keys([path])
    assert str(error.value) == (
        "keys of the config that YAML does not read as text. Put them in quotes:\n"
        f"  - {path}: domains.no on line 2, read as true or false: write 'no'\n"
        f"  - {path}: domains.2019 on line 3, read as a number: write '2019'\n"
        f"  - {path}: domains.2020-01-02 on line 4, read as a date: write '2020-01-02'\n"
        f"  - {path}: domains.1.5 on line 5, read as a number: write '1.5'\n"
        f"  - {path}: domains.~ on line 6, read as null: write '~'"
    )
