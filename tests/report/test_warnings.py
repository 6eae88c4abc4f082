"""Warnings that the first screen shows."""

from mixlaws.report.warnings import confirmation_warnings


def entry(mean):
    return {"mean": mean, "predicted": {"lower": 3.7, "value": 3.76, "upper": 3.8}}


def test_trained_targets_outside_their_intervals_are_named():
    confirmation = {"mixtures": {"optimum": entry(3.837), "uniform": entry(3.75)}}
    (warning,) = confirmation_warnings(confirmation)
    assert warning.finding.tone == "caution"
    assert warning.finding.text == (
        "The target was trained, and its loss lies outside the predicted interval: "
        "optimum (3.837, predicted 3.700 to 3.800)."
    )
    assert list(confirmation_warnings({"mixtures": {"optimum": entry(3.8)}})) == []
    assert list(confirmation_warnings(None)) == []
