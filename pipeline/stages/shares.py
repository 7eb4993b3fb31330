"""Which numbers about a document are shares, whatever their names: for who judges by them, and who draws them.

    SHARES       "words" is none, "symbol_ratio" and "top_2_gram" are; a limit over 1 would be a percentage by mistake
    UP_TO_ONE    those of them that never pass 1

Every measure of type float64 stands here or among PLAIN, so that a new one is not forgotten.
"""

TOP_GRAMS = ("top_2_gram", "top_3_gram", "top_4_gram")  # occurrences that overlap count their characters twice
UP_TO_ONE = frozenset({
    "symbol_ratio", "digit_ratio", "alphanumeric_ratio", "nonword_ratio", "hex_ratio", "base64_ratio",
    "stopword_ratio", "flagged_ratio", "char_repetition", "word_repetition", "line_repetition",
    "bullet_line_ratio", "ellipsis_line_ratio", "alphabetic_word_ratio", "ended_line_ratio", "short_line_ratio",
    "duplicate_paragraph_ratio", "duplicate_paragraph_characters", "duplicate_line_ratio", "duplicate_line_characters",
    "duplicate_filled_characters", "contamination", *(f"duplicate_{n}_grams" for n in range(5, 11)), "lang_score",
})  # fmt: skip
SHARES = UP_TO_ONE | frozenset(TOP_GRAMS)
PLAIN = frozenset({
    "mean_word_length", "mean_line", "token_spread", "gopher_mean_word_length", "hashes_per_word", "ellipses_per_word",
    "feeds_per_word", "perplexity",
})  # fmt: skip
