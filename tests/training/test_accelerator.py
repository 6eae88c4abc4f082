"""What a run is trained on."""

import os

import pytest
import torch

from mixlaws.errors import ConfigError
from mixlaws.training.accelerators import resolve_precision, use_accelerator
from mixlaws.training.execution import Execution


def test_a_run_on_the_cpu_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    use_accelerator(Execution())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    use_accelerator(Execution(accelerator="cpu"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_run_that_needs_a_gpu_says_so_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"accelerator is gpu, but torch finds no GPU on"):
        use_accelerator(Execution(accelerator="gpu"))


def test_auto_precision_is_bf16_only_where_the_gpu_has_it(monkeypatch):
    assert resolve_precision("auto", "cpu") == resolve_precision("auto", "mps") == "32-true"
    for has_bf16, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has_bf16, **_: has)
        assert resolve_precision("auto", "cuda") == expected
    assert resolve_precision("32-true", "cuda") == "32-true"
    assert resolve_precision("bf16-mixed", "cpu") == "bf16-mixed"


def test_bf16_on_a_gpu_without_it_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    with pytest.raises(ConfigError, match=r"precision is bf16-mixed, but Tesla T4 has no bf16"):
        resolve_precision("bf16-mixed", "cuda")
