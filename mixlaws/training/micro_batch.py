"""How many sequences go through the model at once: the most that fit, dividing the batch."""

from __future__ import annotations

import gc

import torch
from torch import nn

from mixlaws.training.module import Proxy

# More tokens than this at once no longer make an accelerator faster.
ENOUGH_TOKENS = 2**17
# On a CPU, whose memory is not probed.
CPU_TOKENS = 2**16
# Of the memory: the rest is for fragmentation and evaluation.
FILLED_SHARE = 0.85
# AdamW's two moments in fp32, which the first step allocates.
OPTIMIZER_BYTES = 8


def choose_micro_batch(
    module: Proxy, batch_size: int, *, stated: int | None, before: int | None = None
) -> int:
    """Return the sequences per forward pass for this device's `batch_size` of a step.

    That of the attempt `before` is kept, because sums depend on the grouping; on another number
    of devices it is the most below it that divides the batch.
    """
    if before is not None:
        return max(n for n in range(1, before + 1) if batch_size % n == 0)
    if stated is not None:
        return stated
    divisors = [n for n in range(1, batch_size + 1) if batch_size % n == 0]
    length = module.run.sequence_length
    if not torch.cuda.is_available():
        return max(n for n in divisors if n == 1 or n * length <= CPU_TOKENS)
    chosen = 1
    for size in divisors:
        if size > 1 and size * length > ENOUGH_TOKENS:
            break
        if size < 2 * chosen and size > 1:
            continue
        if not _fits(module, size):
            break
        chosen = size
    print(f"micro-batch: {chosen} sequences of {length} tokens", flush=True)
    return chosen


def _fits(module: Proxy, size: int) -> bool:
    """Try one forward and backward pass of `size` sequences on random tokens."""
    device = torch.device("cuda", torch.cuda.current_device())
    free, _ = torch.cuda.mem_get_info(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    try:
        module.to(device)
        vocabulary = module.model.embedding.num_embeddings
        shape = (size, module.run.sequence_length + 1)
        batch = torch.randint(0, vocabulary, shape, device=device)
        half = module.run.precision == "bf16-mixed"
        with torch.autocast("cuda", torch.bfloat16, enabled=half):
            loss = module.training_step(batch)
        loss.backward()
        used = torch.cuda.max_memory_allocated(device) - before
    except torch.OutOfMemoryError:
        return False
    finally:
        _clear(module)
    parameters = sum(parameter.numel() for parameter in module.model.parameters())
    return used + OPTIMIZER_BYTES * parameters <= FILLED_SHARE * free


def _clear(module: Proxy) -> None:
    module.losses.clear()
    module.zero_grad(set_to_none=True)
    nn.Module.to(module, "cpu")
    gc.collect()
    torch.cuda.empty_cache()


def smaller_micro_batch(micro_batch: int, batch_size: int) -> int:
    """Return the largest divisor of the batch of at most half as many sequences."""
    half = max(1, micro_batch // 2)
    return max(n for n in range(1, half + 1) if batch_size % n == 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out: CUDA has a class for it, the CPU's allocator a message."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return "not enough memory" in str(error) or "can't allocate memory" in str(error)
