"""The 28 streams that BLOOM was trained on, by this project's names of languages.

    WEIGHTS  {"en": 0.303084, "niger-congo": 0.000315887, ...}    share of the samples
    GROUPS   {"niger-congo": ("ak", "bm", ...), "code": (...)}     one stream of several, natural shares inside

Source: bigscience-workshop/bigscience, data/catalogue/training_dataset_ratios_merged_nigercongo_v3.json, as last
changed; rounded to six digits. BLOOM's two English and two simplified Chinese streams (the catalogue's and OSCAR's)
are one here each, because a packed corpus knows languages, not sources. What BLOOM called zhs and zht is zh-hans and
zh-hant. A table and nothing else.
"""

GROUPS = {
    "niger-congo": (
        *("ak", "bm", "fon", "ig", "ki", "lg", "ln", "nso", "ny", "rn", "rw"),
        *("sn", "st", "sw", "tn", "ts", "tum", "tw", "wo", "xh", "yo", "zu"),
    ),
    "code": (
        *("c", "cpp", "csharp", "go", "java", "javascript", "lua"),
        *("php", "python", "ruby", "rust", "scala", "typescript"),
    ),
}

WEIGHTS = {
    "en": 0.221712 + 0.0813721,  # the second is oscar-en
    "zh-hans": 0.120917 + 0.0552939,  # the second is oscar-zh
    "fr": 0.13054,
    "code": 0.130272,
    "es": 0.106678,
    "pt": 0.0495415,
    "ar": 0.0330676,
    "vi": 0.0246164,
    "ca": 0.0112421,
    "id": 0.010918,
    "hi": 0.00747007,
    "bn": 0.00549238,
    "ta": 0.00211373,
    "eu": 0.00155951,
    "ur": 0.00124543,
    "ml": 0.00103353,
    "te": 0.000912995,
    "ne": 0.000667277,
    "kn": 0.000619047,
    "zh-hant": 0.000517703,
    "pa": 0.000508443,
    "mr": 0.000501201,
    "gu": 0.000402122,
    "or": 0.000359281,
    "niger-congo": 0.000315887,
    "as": 0.000110214,
}
