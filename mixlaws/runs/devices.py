"""Accelerators: their peak rates, and the utilisation to plan with."""

from __future__ import annotations

# Dense bf16 peak in FLOP/s without sparsity, from the vendors' data sheets. `cpu-core` is a
# measured fp32 rate of one core at the demo's sizes, for planning small experiments.
PEAK_FLOPS = {
    "B200": 2250e12,
    "H200": 989.5e12,
    "H100": 989.5e12,
    "MI300X": 1307e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
    "A10G": 70e12,
    "T4": 65e12,
    "cpu-core": 40e9,
}
# Utilisation assumed for a size that was not measured, by its least N: small models are bound by
# memory and launches. From 70M to 410M as measured on one H100 (docs/benchmarks.md), rounded down;
# larger sizes take 410M's. Below 70M the values are guesses.
ASSUMED_MFU = ((250e6, 0.44), (80e6, 0.41), (18e6, 0.37), (3e6, 0.10), (0, 0.02))
# A model that uses this much of a device fills it; of smaller ones several at once train faster.
FILLING_MFU = 0.3
MOST_RUNS_PER_DEVICE = 8


def peak_flops(device_name: str) -> float | None:
    """Return the peak of the device whose name contains a known one, None if none does."""
    for name, peak in PEAK_FLOPS.items():
        if name.lower() in device_name.lower():
            return peak
    return None


def assumed_mfu(device: str, num_params: int) -> float:
    """Return the utilisation to plan with, for a model of N parameters."""
    if device == "cpu-core":
        return 1.0  # its peak is a measured rate already
    return next(share for least, share in ASSUMED_MFU if num_params >= least)


def runs_to_fill(device: str, num_params: int) -> int:
    """Return how many runs of N parameters a device may well train at once: 8 at most."""
    return max(1, min(MOST_RUNS_PER_DEVICE, round(FILLING_MFU / assumed_mfu(device, num_params))))
