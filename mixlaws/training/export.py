"""A trained model as a folder that Hugging Face `transformers` loads.

Layout `neox` is its GPTNeoX; layout `rope` is its Arcee: Llama's RMSNorm and RoPE with a plain
feed-forward block. Only the tests need the library; writing needs safetensors alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from mixlaws.files import write_json
from mixlaws.runs.run import Run, make_run
from mixlaws.runs.shapes import FEED_FORWARD_FACTOR
from mixlaws.training.model import LAYER_NORM_EPSILON, NEOX_ROTARY_SHARE, RMS_EPSILON, ROPE_BASE
from mixlaws.training.weights import read_weights


def export_model(states: Path, folder: Path, tokenizer: Path | None = None) -> None:
    """Write the weights that a run kept in its folder `states` as a model folder.

    They are those that the losses were measured on: the average if the run has one. Raises
    DataError when there are none, or when they are damaged.
    """
    weights, record = read_weights(states)
    write_model(weights, make_run({"max_epochs": 0.0} | record["run"]), folder, tokenizer)


def write_model(
    weights: dict[str, torch.Tensor], run: Run, folder: Path, tokenizer: Path | None = None
) -> None:
    """Write config.json, model.safetensors and, if given, the tokenizer's files."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary_size = len(weights["embedding.weight"])
    is_neox = run.layout == "neox"
    tensors = _neox_tensors(weights, run) if is_neox else _arcee_tensors(weights)
    if not run.tied_embeddings or run.scale_logits:
        head = weights["embedding.weight" if run.tied_embeddings else "head.weight"]
        scale = 64 / run.model_width if run.scale_logits else 1.0
        # The libraries' models do not scale logits, so the head is scaled instead.
        tensors["embed_out.weight" if is_neox else "lm_head.weight"] = head * scale
    config = _neox_config() if is_neox else _arcee_config(run)
    config |= {
        "vocab_size": vocabulary_size,
        "hidden_size": run.model_width,
        "intermediate_size": FEED_FORWARD_FACTOR * run.model_width,
        "num_hidden_layers": run.num_layers,
        "num_attention_heads": run.num_heads,
        "max_position_embeddings": run.sequence_length,
        "hidden_act": "gelu",
        "tie_word_embeddings": run.tied_embeddings and not run.scale_logits,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": "float32",
    }
    tensors = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(config, folder / "config.json")
    if tokenizer is not None:
        (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
        write_json(
            {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": run.sequence_length},
            folder / "tokenizer_config.json",
        )


def _arcee_config(run: Run) -> dict[str, Any]:
    return {
        "model_type": "arcee",
        "architectures": ["ArceeForCausalLM"],
        "num_key_value_heads": run.num_heads,
        "rms_norm_eps": RMS_EPSILON,
        "rope_theta": ROPE_BASE,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_BASE},
        "attention_bias": False,
        "mlp_bias": False,
    }


def _arcee_tensors(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    tensors = {
        "model.embed_tokens.weight": weights["embedding.weight"],
        "model.norm.weight": weights["norm.weight"],
    }
    for name, value in weights.items():
        if not name.startswith("blocks."):
            continue
        _, number, part = name.split(".", 2)
        block = f"model.layers.{number}."
        if part == "attention.qkv.weight":
            for letter, piece in zip("qkv", value.chunk(3), strict=True):
                tensors[f"{block}self_attn.{letter}_proj.weight"] = piece
            continue
        tensors[block + _ARCEE_NAMES[part]] = value
    return tensors


_ARCEE_NAMES = {
    "attention_norm.weight": "input_layernorm.weight",
    "attention.out.weight": "self_attn.o_proj.weight",
    "feed_forward_norm.weight": "post_attention_layernorm.weight",
    "up.weight": "mlp.up_proj.weight",
    "down.weight": "mlp.down_proj.weight",
}


def _neox_config() -> dict[str, Any]:
    return {
        "model_type": "gpt_neox",
        "architectures": ["GPTNeoXForCausalLM"],
        "layer_norm_eps": LAYER_NORM_EPSILON,
        "rotary_pct": NEOX_ROTARY_SHARE,
        "rotary_emb_base": ROPE_BASE,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": ROPE_BASE,
            "partial_rotary_factor": NEOX_ROTARY_SHARE,
        },
        "use_parallel_residual": True,
        "attention_bias": True,
    }


def _neox_tensors(weights: dict[str, torch.Tensor], run: Run) -> dict[str, torch.Tensor]:
    tensors = {
        "gpt_neox.embed_in.weight": weights["embedding.weight"],
        "gpt_neox.final_layer_norm.weight": weights["norm.weight"],
        "gpt_neox.final_layer_norm.bias": weights["norm.bias"],
    }
    for name, value in weights.items():
        if not name.startswith("blocks."):
            continue
        _, number, part = name.split(".", 2)
        module, kind = part.rsplit(".", 1)
        if module == "attention.qkv":
            # Ours is query, key, value, each of all heads; GPT-NeoX has them head by head.
            heads = value.view(3, run.num_heads, -1, *value.shape[1:])
            value = heads.transpose(0, 1).reshape(value.shape)
        tensors[f"gpt_neox.layers.{number}.{_NEOX_NAMES[module]}.{kind}"] = value
    return tensors


_NEOX_NAMES = {
    "attention_norm": "input_layernorm",
    "attention.qkv": "attention.query_key_value",
    "attention.out": "attention.dense",
    "feed_forward_norm": "post_attention_layernorm",
    "up": "mlp.dense_h_to_4h",
    "down": "mlp.dense_4h_to_h",
}
