"""Fixtures: reading one domain, and the message if it cannot be read."""

import pytest

from mixlaws.errors import DataError
from mixlaws.text.documents import read_record
from mixlaws.text.parts import Part
from mixlaws.text.reading import read_part


@pytest.fixture
def read(tmp_path):
    """Read a domain with the given options; return its record and its documents file."""

    def run(*, share=0.1, name="web", part=None, **options):
        path = tmp_path / f"out/{name}.parquet"
        read_part(name, options, part or Part(), validation_share=share, output=path)
        return read_record(path), path

    return run


@pytest.fixture
def fails(read, tmp_path):
    """Return the message of reading a domain that cannot be read, and see that nothing is left."""

    def run(**options):
        with pytest.raises(DataError) as caught:
            read(**options)
        assert list((tmp_path / "out").iterdir()) == []
        return str(caught.value)

    return run
