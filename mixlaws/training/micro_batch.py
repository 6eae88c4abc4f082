"""Choose how many sequences go through the model at once: the most that fit the device."""

from __future__ import annotations

import gc

import torch
from torch import nn

from mixlaws.training.model import mean_cross_entropy
from mixlaws.training.module import LanguageModel

# More tokens at once do not make an accelerator faster.
ENOUGH_TOKENS = 2**17
# The limit on a CPU, whose memory is not probed.
CPU_TOKENS = 2**16
# The rest of the memory is for fragmentation and evaluation.
FILLED_SHARE = 0.85
# Bytes per parameter of AdamW's two moments in fp32, which the first step allocates.
OPTIMIZER_BYTES = 8


def choose_micro_batch(
    module: LanguageModel,
    batch_size: int,
    *,
    stated: int | None,
    before: int | None = None,
    num_runs: int = 1,
) -> int:
    """Return the sequences per forward pass for this device's `batch_size` of a step.

    An earlier attempt's number (`before`) is kept, because sums depend on the grouping; on another
    number of devices it is the largest below it that divides the batch. `num_runs` share the
    device's memory.
    """
    if before is not None:
        return max(n for n in range(1, before + 1) if batch_size % n == 0)
    if stated is not None:
        return stated
    divisors = [n for n in range(1, batch_size + 1) if batch_size % n == 0]
    length = module.run.sequence_length
    if not torch.cuda.is_available():
        return max(n for n in divisors if n == 1 or n * length <= CPU_TOKENS)
    chosen = _most_that_fits(module, divisors, num_runs)
    print(f"micro-batch: {chosen} sequences of {length} tokens", flush=True)
    return chosen


def _most_that_fits(module: LanguageModel, sizes: list[int], num_runs: int) -> int:
    """Return the largest of `sizes` that fits the device; each trial about doubles the last."""
    device = torch.device("cuda", torch.cuda.current_device())
    # Both are read before the weights are moved, which count as used memory.
    free, whole = torch.cuda.mem_get_info(device)
    room = FILLED_SHARE * min(free, whole / num_runs)
    before = torch.cuda.memory_allocated(device)
    parameters = sum(parameter.numel() for parameter in module.model.parameters())
    chosen = 1
    try:
        for size in sizes:
            if size > 1 and size * module.run.sequence_length > ENOUGH_TOKENS:
                break
            if size < 2 * chosen and size > 1:
                continue
            used = _peak_bytes(module, size, device) - before
            if used + OPTIMIZER_BYTES * parameters > room:
                break
            chosen = size
    except torch.OutOfMemoryError:
        pass
    finally:
        _clear(module)
        nn.Module.to(module, "cpu")
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)  # timing.json reports the run's own peak
    return chosen


def _peak_bytes(module: LanguageModel, size: int, device: torch.device) -> int:
    """Return the peak of one forward and backward pass of `size` sequences on random tokens.

    The compiler is left out: it would restart for every size, and compiled code needs less memory.
    """
    torch.cuda.reset_peak_memory_stats(device)
    module.to(device)
    vocabulary = module.model.embedding.num_embeddings
    batch = torch.randint(0, vocabulary, (size, module.run.sequence_length + 1), device=device)
    half = module.run.precision == "bf16-mixed"
    try:
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            hidden = module.model.hidden(batch[:, :-1])
            loss = mean_cross_entropy(hidden, module.model.head_weight, batch[:, 1:])
        loss.backward()
        return torch.cuda.max_memory_allocated(device)
    finally:
        _clear(module)


def _clear(module: LanguageModel) -> None:
    module.zero_grad(set_to_none=True)
    gc.collect()
    torch.cuda.empty_cache()


def smaller_micro_batch(micro_batch: int, batch_size: int) -> int:
    """Return the largest divisor of the batch of at most half as many sequences."""
    half = max(1, micro_batch // 2)
    return max(n for n in range(1, half + 1) if batch_size % n == 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out: CUDA raises its own class, the CPU allocator a message."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)
