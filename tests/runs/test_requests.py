"""What a run asks a cluster for."""

import pytest

from mixlaws.runs.requests import memory_mb, num_gpus, runtime_minutes


def test_memory_holds_a_state_and_doubles_once():
    """70M: 16 GB, and 20 bytes a parameter."""
    assert memory_mb(70_000_000, 1) == 17_400
    assert [memory_mb(70_000_000, attempt) for attempt in (2, 3, 9)] == [34_800] * 3
    assert memory_mb(2_800_000_000, 1) == 72_000


def test_a_small_run_asks_for_half_the_time_at_first():
    assert [runtime_minutes(14_000_000, attempt) for attempt in (1, 2, 5)] == [120, 240, 240]
    assert runtime_minutes(70_000_000, 1) == 240


@pytest.mark.parametrize(
    ("training", "confirmation", "expected"),
    [
        ({}, {}, (1, 1)),
        ({"devices": 2}, {}, (2, 2)),
        ({}, {"devices": 4, "num_nodes": 2}, (1, 8)),
        ({"accelerator": "cpu", "devices": 2}, {}, (0, 0)),
    ],
)
def test_one_gpu_per_device_and_none_on_the_cpu(training, confirmation, expected):
    usual = {"accelerator": "auto", "compile": "auto", "micro_batch_size": None, "devices": 1}
    usual |= {"num_nodes": 1, "strategy": "auto", "launcher": "local", "divergence_margin": 2}
    usual |= {"checkpoint_every_seconds": 120, "keep_states": False}
    usual |= {"runs_per_device": 1, "logger": "none"}
    config = {"training": usual | training, "confirmation": confirmation}
    assert (num_gpus(config), num_gpus(config, is_target=True)) == expected
