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
