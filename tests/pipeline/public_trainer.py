"""The trainer of `tokenizers` with BLOOM's settings: what ours is held to."""

import re
from collections.abc import Iterable
from typing import Any

from tokenizers import Tokenizer, pre_tokenizers, trainers

from pipeline.tokenizer import SPECIALS, untrained


def publicly(texts: Iterable[str], vocab_size: int, min_frequency: int = 2, **settings: Any) -> Tokenizer:
    """Trained on texts that are cut where they spell a special token: it would give a merge that token's own id."""
    tokenizer = untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIALS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **{name: value for name, value in settings.items() if value is not None},
    )
    special = re.compile("|".join(map(re.escape, SPECIALS.values())))
    tokenizer.train_from_iterator((part for text in texts for part in special.split(text)), trainer)
    return tokenizer
