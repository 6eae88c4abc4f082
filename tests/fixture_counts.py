"""Planted counts: manifests, and a corpus, of as many tokens as a test wants; there is no text."""

import numpy as np

from mixlaws.text.tokens import Manifest
from mixlaws.training.corpus import Corpus, TokenFile

BYTES_PER_TOKEN = 4


def plant_manifests(config, draw):
    """Return manifests with random counts: most, but not all, enough for what is planned."""
    training, validation = config["training"], config["validation"]
    length = training["sequence_length"]
    needed = training["num_steps"] * training["batch_size"] * length
    if config.get("confirmation"):
        needed = config["target"]["tokens"]
    factors = [0.5, 3.0, 3.0, 5.0, 10.0, 10.0, 10.0, 20.0]
    manifests = []
    for domain in config["domains"]:
        tokens = int(needed * draw.choice(factors) / training["max_epochs"])
        manifests.append(make_manifest(domain, "train", max(tokens, 2)))
    windows = [0.9, *[1.0, 1.5, 4.0, 20.0] * 5]
    for domain in [*config["domains"], *validation["domains"]]:
        tokens = int(validation["num_windows"] * draw.choice(windows) * length) + 1
        manifests.append(make_manifest(domain, "validation", max(tokens, 2)))
    return manifests


def make_manifest(domain, split, tokens):
    documents = max(1, tokens // 100)
    return Manifest(
        domain=domain,
        split=split,
        num_documents_read=documents,
        num_documents=documents,
        num_dropped_exact=0,
        num_dropped_near=0,
        num_dropped_other=0,
        dropped_other={},
        num_cleaned={},
        num_documents_cut=0,
        num_bytes=BYTES_PER_TOKEN * tokens,
        num_tokens=tokens,
        num_unknown_tokens=0,
        num_documents_checked=1,
        num_documents_altered=0,
        sample="all",
        dtype="uint16",
        sha256="0" * 64,
        vocabulary_size=512,
        end_of_document_id=0,
        tokenizer_sha256="1" * 64,
        source_digest="2" * 64,
        filter_digest="3" * 64,
        text_version=1,
        text_bytes_before_cap=BYTES_PER_TOKEN * tokens,
        text_bytes_before_cap_is_estimated=False,
    )


def plant_corpus(manifests):
    """Return a corpus of as many tokens, all 0, which take no memory."""
    files = {
        (each.split, each.domain): TokenFile(
            np.broadcast_to(np.uint16(0), (each.num_tokens,)),
            each.sha256,
            each.bytes_per_token,
            each.fingerprint(),
        )
        for each in manifests
    }
    return Corpus(
        train={domain: file for (split, domain), file in files.items() if split == "train"},
        validation={d: file for (split, d), file in files.items() if split == "validation"},
        vocabulary_size=manifests[0].vocabulary_size,
    )
