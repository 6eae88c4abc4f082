"""Whether there is text enough for the runs and the target."""

from mixlaws.runs.supply import find_shortages, target_supply

SHARES = {"mix-001": {"a": 0.9, "b": 0.1}, "mix-002": {"a": 0.6, "b": 0.4}}


def test_a_line_names_the_mixture_that_needs_the_most_of_a_domain():
    assert find_shortages(SHARES, {"a": 900, "b": 400}, tokens=1000, max_epochs=1) == []
    assert find_shortages(SHARES, {"a": 500, "b": 300}, tokens=1000, max_epochs=1) == [
        "a has 500 training tokens, and mix-001 needs 900 of them (1.8 epochs), the most of "
        "2 mixtures",
        "b has 300 training tokens, and mix-002 needs 400 of them (1.33 epochs)",
    ]
    assert find_shortages(SHARES, {"a": 450, "b": 200}, tokens=1000, max_epochs=2) == []


def test_stated_tokens_come_before_counted_ones():
    stated, counted = {"a": 7, "b": None}, {"a": 1000, "b": 400}
    assert target_supply(stated, counted, 0.25) == {"a": 7, "b": 100.0}
    assert target_supply(stated, counted, 0) == {"a": 7, "b": None}
