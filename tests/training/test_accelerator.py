"""What a run is trained on."""

import os

import pytest
import torch

from mixlaws.errors import ConfigError
from mixlaws.training.execution import Execution, use_accelerator


def test_a_run_on_the_cpu_sees_no_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    use_accelerator(Execution())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"
    use_accelerator(Execution(accelerator="cpu"))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""


def test_a_run_that_needs_a_gpu_says_so_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"finds no GPU on .*, and training.accelerator is gpu"):
        use_accelerator(Execution(accelerator="gpu"))
