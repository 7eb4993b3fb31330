"""The model card of an exported model: what it is, and which languages it was made of.

    name, ModelConfig, seam manifest, tokens consumed by language  ->  README.md, as the Hub reads it

Says only what the manifest and the run know; never a quality that nobody measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pretrain.model import ModelConfig

# short names of programming languages, which look like the codes of natural ones
_CODE = {"awk", "bat", "cpp", "css", "elm", "go", "js", "lua", "nim", "php", "sed", "sh", "sql", "tex", "vim", "xml"}


def model_card(
    name: str,
    config: ModelConfig,
    manifest: dict[str, Any],
    consumed: dict[str, int] | None = None,
    begun_with: Mapping[str, Any] | None = None,
) -> str:
    """Markdown with the Hub's metadata on top. `consumed` counts the tokens trained on, repetitions included;
    `begun_with` is what a checkpoint says of the model that its training began with."""
    corpus = {lang: split["tokens"] for lang, split in manifest["splits"]["train"].items()}
    about = [*_about(name, config, manifest), *_origin(begun_with)]
    return "\n".join([*_metadata(corpus), *about, *_mix(corpus, consumed), *_use(), ""])


def _metadata(corpus: dict[str, int]) -> list[str]:
    codes = [lang for lang in sorted(corpus) if re.fullmatch(r"[a-z]{2,3}(-\w+)*", lang) and lang not in _CODE]
    languages = ["language:", *(f"- {lang!r}" for lang in codes)] if codes else []
    tags = ["library_name: transformers", "pipeline_tag: text-generation", "tags:", "- bloom", "- seedbed"]
    return ["---", *languages, *tags, "---", ""]


def _about(name: str, config: ModelConfig, manifest: dict[str, Any]) -> list[str]:
    return [
        f"# {name}",
        "",
        f"A causal language model of BLOOM's architecture with {config.num_parameters:,} parameters: "
        f"{config.num_layers} layers of width {config.hidden_size} with {config.num_heads} heads, a vocabulary of "
        f"{manifest['vocab_size']:,} tokens, trained on rows of {manifest['seq_len']} tokens.",
        "",
        f"Corpus: packed by seedbed, digest `{manifest.get('digest', 'unknown')}`. Every token of it "
        "can be traced to its document.",
        "",
    ]


def _origin(begun_with: Mapping[str, Any] | None) -> list[str]:
    """What else the model has read: of weights that were given, nothing is known here."""
    if begun_with is None:
        return []
    if begun_with["step"] is None:
        shas = ", ".join(f"{name} {sha[:16]}" for name, sha in begun_with["sha256"].items())
        what = f"Its training began with the weights of `{begun_with['path']}` ({shas})."
        return [what + " What those were trained on is not in the table below.", ""]
    what = f"Its training began with another run's checkpoint, `{begun_with['path']}` (step {begun_with['step']:,}, "
    what += f"{begun_with['sha256'][:16]}). Tokens trained on count from the beginning of that run."
    return [what, "", *_origin(begun_with.get("before"))]


def _mix(corpus: dict[str, int], consumed: dict[str, int] | None) -> list[str]:
    total, trained = sum(corpus.values()) or 1, sum((consumed or {}).values()) or 1
    head = "| language | tokens in the corpus | share |" + (" tokens trained on | share |" if consumed else "")
    rule = "|---|--:|--:|" + ("--:|--:|" if consumed else "")
    rows = []
    elsewhere = {lang: 0 for lang in consumed or {} if lang not in corpus}  # another run's corpus had them
    for lang, tokens in sorted((corpus | elsewhere).items(), key=lambda item: (-item[1], item[0])):
        row = f"| {lang} | {tokens:,} | {tokens / total:.2%} |"
        if consumed:
            row += f" {consumed.get(lang, 0):,} | {consumed.get(lang, 0) / trained:.2%} |"
        rows.append(row)
    return ["## Languages", "", head, rule, *rows, ""]


def _use() -> list[str]:
    return [
        "## Use",
        "",
        "A base model: it continues text, it does not follow instructions. It reads no beginning-of-text token, and "
        "pads on the left when it generates. Documents end in `</s>`.",
        "",
        "Load it in fp32 where exactness matters: in bf16, transformers rounds ALiBi's bias, which grows "
        "with the position (bf16 has steps of 8 above 1,024), and so computes another function far into a text.",
    ]
