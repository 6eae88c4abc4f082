"""MinHash signatures of documents, and the search for similar ones.

Similarity is the Jaccard similarity of shingles of five words, estimated by MinHash (Broder 1997).
Words are separated by white space; in scripts without spaces (Chinese, Japanese, Thai, ...) each
character is a word. Similar documents are found by banding of the signatures (locality-sensitive
hashing).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np
from rensa import RMinHash

from mixlaws.text.documents import NUM_HASHES

SIMILARITY = 0.7
WORDS_PER_SHINGLE = 5
# 32 bands of 4 values find a pair of similarity 0.7 with probability 1 - (1 - 0.7^4)^32 = 0.9998.
NUM_BANDS = 32
_SEED = 0
# Odd constants of the 64-bit mixing functions of SplitMix (Steele et al. 2014).
_MIX = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9], dtype=np.uint64)
# Scripts that are written without spaces between words: Thai, Lao, Tibetan, Burmese, Khmer, Tai Le,
# New Tai Lue and Tai Tham, Japanese kana, Yi, Javanese, Tai Viet, and Han with its extensions.
_SCRIPTS = (
    "\u0e01-\u0e5b\u0e81-\u0edf\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3\u1950-\u1aad"
    "\u3041-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48f\ua980-\ua9df\uaa60-\uaadf"
    "\uf900-\ufaff\uff66-\uff9f\U00016fe0-\U00018cff\U0001b000-\U0001b16f\U00020000-\U000323af"
)
_UNSPACED = re.compile(f"[{_SCRIPTS}]")
_UNSPACED_WORDS = re.compile(f"[{_SCRIPTS}]|[^\\s{_SCRIPTS}]+")
# Signatures looked up at a time, and pairs compared at a time, to bound the memory of a search.
_MAX_QUERIES = 2**13
_MAX_PAIRS = 2**14


def signatures(texts: Sequence[str]) -> list[bytes]:
    """Return the MinHash signature of each text: NUM_HASHES little-endian 32-bit values."""
    shingles = [_shingles(text) for text in texts]
    rows = RMinHash.digest_matrix_from_token_sets(shingles, NUM_HASHES, _SEED).to_rows()
    return [np.asarray(row, dtype="<u4").tobytes() for row in rows]


def _words(text: str) -> list[str]:
    """Return the words of a text; a character of a script without spaces is a word."""
    if text.isascii() or not _UNSPACED.search(text):
        return text.split()
    return _UNSPACED_WORDS.findall(text)


def _shingles(text: str) -> list[str]:
    words = _words(text)
    starts = range(max(1, len(words) - WORDS_PER_SHINGLE + 1))
    return sorted({" ".join(words[start : start + WORDS_PER_SHINGLE]) for start in starts})


def _band_keys(signature: np.ndarray) -> np.ndarray:
    """Return a 64-bit key per band, (n, NUM_BANDS); similar documents share at least one key."""
    halves = np.ascontiguousarray(signature).view(np.uint64).reshape(-1, NUM_BANDS, 2)
    return (halves[..., 0] * _MIX[0]) ^ ((halves[..., 1] ^ (halves[..., 1] >> 29)) * _MIX[1])


class GrowingIndex:
    """An index that documents are added to one by one. About 8 KB per document."""

    def __init__(self) -> None:
        self._signatures: list[np.ndarray] = []
        self._places: list[dict[int, list[int]]] = [{} for _ in range(NUM_BANDS)]

    def add(self, signature: np.ndarray) -> int:
        """Add a document; return its number, counted from zero."""
        number = len(self._signatures)
        for places, key in zip(self._places, _band_keys(signature)[0].tolist(), strict=True):
            places.setdefault(key, []).append(number)
        self._signatures.append(signature)
        return number

    def nearest(self, signature: np.ndarray) -> tuple[int, float] | None:
        """Return the most similar document and its similarity, or None below SIMILARITY.

        Of equally similar documents the first is returned.
        """
        keys = _band_keys(signature)[0].tolist()
        found = {
            n for places, key in zip(self._places, keys, strict=True) for n in places.get(key, ())
        }
        best: tuple[int, float] | None = None
        for number in sorted(found):
            similarity = float(np.mean(self._signatures[number] == signature))
            if similarity >= SIMILARITY and (best is None or similarity > best[1]):
                best = number, similarity
        return best


class FixedIndex:
    """An index of documents that are all given at once. About 0.9 KB per document."""

    def __init__(self, signature: np.ndarray) -> None:
        """Index (n, NUM_HASHES) signatures."""
        # Text from templates has the same signature many times: index it once.
        _, first = np.unique(signature, axis=0, return_index=True)
        self._numbers = np.sort(first)
        self._signatures = signature[self._numbers]
        keys = _band_keys(self._signatures)
        self._order = np.argsort(keys, axis=0, kind="stable").astype(np.int32)
        self._keys = np.take_along_axis(keys, self._order, axis=0)

    def nearest(self, signature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return per signature, of (m, NUM_HASHES), the most similar document and the similarity.

        The number is -1 where no document reaches SIMILARITY. Of equally similar documents the
        first is returned.
        """
        slices = [
            self._nearest(signature[start : start + _MAX_QUERIES])
            for start in range(0, len(signature), _MAX_QUERIES)
        ]
        numbers, similarities = zip(*slices, strict=True)
        return np.concatenate(numbers), np.concatenate(similarities)

    def _nearest(self, signature: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        number = np.full(len(signature), -1)
        similarity = np.zeros(len(signature))
        for band, keys in enumerate(_band_keys(signature).T):
            first = np.searchsorted(self._keys[:, band], keys, "left")
            count = np.searchsorted(self._keys[:, band], keys, "right") - first
            for queries, places in _pairs(first, count):
                candidates = self._order[places, band]
                found = np.mean(self._signatures[candidates] == signature[queries], axis=1)
                _improve(number, similarity, queries, candidates, found)
        return np.where(number < 0, -1, self._numbers[number]), similarity


def _pairs(first: np.ndarray, count: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (queries, places) in batches: places first[q] to first[q] + count[q] - 1 of query q."""
    queries = np.repeat(np.arange(len(count)), count)
    offsets = np.arange(len(queries)) - np.repeat(np.cumsum(count) - count, count)
    places = np.repeat(first, count) + offsets
    for start in range(0, len(queries), _MAX_PAIRS):
        yield queries[start : start + _MAX_PAIRS], places[start : start + _MAX_PAIRS]


def _improve(
    number: np.ndarray,
    similarity: np.ndarray,
    queries: np.ndarray,
    candidates: np.ndarray,
    found: np.ndarray,
) -> None:
    """Update `number` and `similarity` with the best candidate of each query, if it is better."""
    order = np.lexsort((-candidates, found, queries))
    last = np.append(queries[order][1:] != queries[order][:-1], True)[: len(order)]
    best = order[last]
    queries, candidates, found = queries[best], candidates[best], found[best]
    known = similarity[queries]
    better = (found > known) | ((found == known) & (candidates < number[queries]))
    better &= found >= SIMILARITY
    number[queries[better]] = candidates[better]
    similarity[queries[better]] = found[better]
