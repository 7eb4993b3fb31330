"""Parity with transformers in both directions, on real files; and refusals of what is no BLOOM."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BloomConfig, BloomForCausalLM

from pretrain.errors import ConfigError, InputError, RunError
from pretrain.export import export, load_bloom, load_transformers
from pretrain.model import Bloom, ModelConfig

HEADS = [1, 3, 6, 8, 12, 16, 20]
BOUND = 1e-5  # largest difference over largest value, of each tensor


def perturbed(heads: int, **shape) -> Bloom:
    """A model whose biases and LayerNorms are not 0 and 1, so that each of them matters."""
    config = {"vocab_size": 320, "hidden_size": 8 * heads, "num_layers": 3, "num_heads": heads} | shape
    model = Bloom(ModelConfig(**config), torch.Generator().manual_seed(heads))
    g = torch.Generator().manual_seed(heads + 1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g))
    return model


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    """A folder with a byte-level tokenizer of 260 tokens, as a packed corpus has it."""
    folder = tmp_path / "seam"
    folder.mkdir()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    vocab = {token: i for i, token in enumerate([*special, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    t = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens(special)
    t.save(str(folder / "tokenizer.json"))
    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | names))
    return folder


def manifest(tokenizer: Path) -> dict:
    names = ("tokenizer.json", "tokenizer_config.json")
    return {
        "seq_len": 32,
        "vocab_size": 260,
        "special_ids": {"unk": 0, "bos": 1, "eos": 2, "pad": 3},
        "digest": "ab" * 32,
        "splits": {"train": {"sw": {"tokens": 3000}, "zh-hans": {"tokens": 1000}, "php": {"tokens": 6000}}},
        "files": {n: {"sha256": hashlib.sha256((tokenizer / n).read_bytes()).hexdigest()} for n in names},
    }


@pytest.fixture
def exported(tmp_path: Path, tokenizer: Path):
    def go(model: Bloom, **options) -> Path:
        return export(model, model.config, manifest(tokenizer), tokenizer, tmp_path / "out", **options)

    return go


def apart(got: Tensor, want: Tensor) -> float:
    return ((got - want).abs().max() / want.abs().max()).item()


def logits_and_gradients(model: nn.Module, ours: bool) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    ids, targets = torch.randint(0, 260, (2, 2, 70), generator=g)
    targets[1, 40:] = -100
    logits = model(ids) if ours else model(ids).logits
    out = {"logits": logits.detach()}
    if ours:
        model.loss(ids, targets).backward()  # the chunked loss, as in training
    else:
        F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").backward()
    return out | {n.removeprefix("transformer."): p.grad for n, p in model.named_parameters()}


@pytest.mark.parametrize("heads", HEADS)
def test_what_we_export_computes_the_same_in_transformers(exported, heads):
    model = perturbed(heads)
    theirs = AutoModelForCausalLM.from_pretrained(exported(model))
    assert isinstance(theirs, BloomForCausalLM) and theirs.dtype == torch.float32
    got, want = logits_and_gradients(model, ours=True), logits_and_gradients(theirs, ours=False)
    assert got.keys() == want.keys() and len(got) == 1 + 12 * 3 + 5
    assert {name: apart(got[name], want[name]) for name in got if not apart(got[name], want[name]) < BOUND} == {}


@pytest.mark.parametrize("heads", HEADS)
def test_what_transformers_saves_computes_the_same_here(tmp_path, heads):
    config = BloomConfig(vocab_size=320, hidden_size=8 * heads, n_layer=2, n_head=heads, initializer_range=0.1)
    torch.manual_seed(heads)
    theirs = BloomForCausalLM(config)
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(0.1 * torch.randn_like(p))
    theirs.save_pretrained(tmp_path)
    ours = load_bloom(tmp_path)
    assert ours.config == ModelConfig(320, 8 * heads, 2, heads, init_std=0.1)
    got, want = logits_and_gradients(ours, ours=True), logits_and_gradients(theirs, ours=False)
    assert {name: apart(got[name], want[name]) for name in got if not apart(got[name], want[name]) < BOUND} == {}


def test_queries_keys_and_values_in_the_order_of_gpt2_would_be_caught(exported):
    """Guards the parity test itself: a swapped layout has the same shapes and other logits."""
    model = perturbed(8)
    theirs = AutoModelForCausalLM.from_pretrained(exported(model))
    with torch.no_grad():
        for block in theirs.transformer.h:
            w = block.self_attention.query_key_value.weight
            w.copy_(w.view(8, 3, 8, 64).transpose(0, 1).reshape(192, 64))
    got, want = logits_and_gradients(model, ours=True), logits_and_gradients(theirs, ours=False)
    assert apart(got["logits"], want["logits"]) > 1e-3


@pytest.mark.parametrize("shard_bytes", [10**9, 30_000])
def test_there_and_back_is_the_same_model_bit_for_bit(exported, shard_bytes):
    model = perturbed(6)
    folder = exported(model, shard_bytes=shard_bytes)
    config, state = load_transformers(folder)
    assert config == model.config
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


def test_above_the_limit_weights_are_sharded_and_transformers_still_loads_them(exported):
    model = perturbed(6)
    folder = exported(model, shard_bytes=30_000)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    assert len(files) > 2 and files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert index["metadata"]["total_size"] == 4 * model.config.num_parameters
    assert not (folder / "model.safetensors").exists()
    ids = torch.arange(20)[None]
    assert apart(AutoModelForCausalLM.from_pretrained(folder)(ids).logits, model(ids)) < BOUND


def test_the_tokenizer_loads_and_agrees(exported, tokenizer):
    theirs = AutoTokenizer.from_pretrained(exported(perturbed(3)))
    ours = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    assert theirs("Habari, dunia! 你好")["input_ids"] == ours.encode("Habari, dunia! 你好").ids
    assert (theirs.eos_token_id, theirs.pad_token_id) == (2, 3)


def test_transformers_generates_greedily_what_we_generate(exported):
    from pretrain.generate import generate

    model = perturbed(6)
    ids = torch.arange(10, 20)
    theirs = AutoModelForCausalLM.from_pretrained(exported(model))
    want = theirs.generate(ids[None], max_new_tokens=15, do_sample=False, eos_token_id=None)
    assert torch.equal(generate(model, ids, 15, temperature=0), want[0])


def test_weights_bear_the_prefix_and_the_header_that_others_look_for(exported):
    from safetensors import safe_open

    with safe_open(exported(perturbed(3)) / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert all(name.startswith("transformer.") for name in file.keys())  # noqa: SIM118
        assert "lm_head.weight" not in file.keys()  # noqa: SIM118


def test_whoever_may_read_the_config_may_read_the_weights(exported):
    assert len({p.stat().st_mode for p in exported(perturbed(3)).iterdir()}) == 1


def test_an_export_has_the_same_bytes_each_time(exported):
    model = perturbed(3)
    first = {p.name: p.read_bytes() for p in exported(model).iterdir()}
    assert {p.name: p.read_bytes() for p in exported(model).iterdir()} == first


def test_the_card_shows_the_mix_of_the_corpus_and_of_what_was_consumed(exported):
    card = (exported(perturbed(3), consumed={"sw": 300, "zh-hans": 700}) / "README.md").read_text()
    assert "| sw | 3,000 | 30.00% | 300 | 30.00% |" in card
    assert "| php | 6,000 | 60.00% | 0 | 0.00% |" in card
    assert "- 'zh-hans'" in card and "- 'php'" not in card  # no natural language
    assert card.startswith("---\nlanguage:\n")


def test_a_card_of_your_own_is_taken_as_it_is(exported):
    assert (exported(perturbed(3), card="# mine\n") / "README.md").read_text() == "# mine\n"


@pytest.mark.parametrize("rename", [{}, {"hidden_size": "n_embed", "n_head": "num_attention_heads"}])
def test_a_hub_checkpoint_without_prefix_in_half_precision_loads(exported, rename):
    """As bigscience/bloom-560m is stored: no `transformer.`, F16, older names in config.json."""
    model = perturbed(3)
    folder = exported(model)
    bare = {k.removeprefix("transformer."): v.half() for k, v in load_file(folder / "model.safetensors").items()}
    save_file(bare, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({rename.get(k, k): v for k, v in config.items()}))
    assert load_transformers(folder)[1]["ln_f.weight"].dtype == torch.float16
    ids = torch.arange(20)[None]
    assert apart(load_bloom(folder)(ids), model(ids)) < 0.02


def edited(folder: Path, change) -> Path:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("transformer.ln_f.bias"), "missing: ln_f.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown: extra"),
        (lambda s: s.update({"transformer.ln_f.bias": torch.zeros(5)}), r"ln_f.bias is \(5,\)"),
        (lambda s: s.update({"lm_head.weight": torch.zeros(320, 24)}), "lm_head.weight differs"),
    ],
)
def test_weights_that_are_not_the_models_are_refused(exported, change, said):
    with pytest.raises(InputError, match=said):
        load_transformers(edited(exported(perturbed(3)), change))


def test_a_tied_head_that_was_saved_all_the_same_is_taken(exported):
    folder = edited(
        exported(perturbed(3)),
        lambda s: s.update({"lm_head.weight": s["transformer.word_embeddings.weight"].clone()}),
    )
    assert "lm_head.weight" not in load_transformers(folder)[1]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("config.json", b"{", "is not JSON"),
        ("config.json", b"[]", "no JSON object"),
        ("config.json", b'{"model_type": "gpt2"}', "'gpt2' is not the BLOOM"),
        ("config.json", b'{"model_type": "bloom", "vocab_size": 3}', "no hidden_size or n_embed"),
        ("config.json", None, "config.json is missing"),
        ("model.safetensors", b"\x00" * 3, "model.safetensors: "),
        ("model.safetensors", None, "model.safetensors is missing"),
    ],
)
def test_a_broken_folder_is_refused_with_the_file(exported, file, content, said):
    folder = exported(perturbed(3))
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_transformers(folder)


def test_truncated_weights_are_refused(exported):
    folder = exported(perturbed(3))
    os.truncate(folder / "model.safetensors", 10_000)
    with pytest.raises(InputError, match="cut off or corrupt"):
        load_transformers(folder)


def test_another_tokenizer_than_the_corpus_has_is_refused(exported, tokenizer):
    model = perturbed(3)
    before = manifest(tokenizer)
    (tokenizer / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer.json is not the one"):
        export(model, model.config, before, tokenizer, tokenizer.parent / "new")
    (tokenizer / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer.json is missing"):
        export(model, model.config, before, tokenizer, tokenizer.parent / "new")
    assert not (tokenizer.parent / "new").exists()


def test_more_tokens_than_rows_are_refused(exported):
    with pytest.raises(ConfigError, match="260 tokens, the embedding 256 rows"):
        exported(perturbed(3, vocab_size=256))


def test_weights_that_are_not_finite_are_not_handed_on(exported, tmp_path):
    model = perturbed(3)
    with torch.no_grad():
        model.ln_f.weight[3] = torch.nan
    with pytest.raises(RunError, match=r"not finite: ln_f\.weight\b"):
        exported(model)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_never_replaced(exported, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="no exported model"):
        exported(perturbed(3))
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"


def test_a_config_json_alone_makes_no_exported_model(exported, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ConfigError, match=r"no config\.json of a BLOOM"):
        exported(perturbed(3))
    (tmp_path / "out" / "config.json").write_text('{"model_type": "bloom"}')
    (tmp_path / "out" / "optimizer.pt").write_text("mine")
    with pytest.raises(ConfigError, match=r"it holds optimizer\.pt"):
        exported(perturbed(3))
    assert len(list((tmp_path / "out").iterdir())) == 2
    (tmp_path / "out" / "optimizer.pt").unlink()
    assert load_bloom(exported(perturbed(3)))


def test_an_export_can_be_replaced_from_within(tokenizer, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = perturbed(3)
    assert export(model, model.config, manifest(tokenizer), tokenizer, Path()) == Path()
    assert load_bloom(tmp_path / "here")


def test_where_the_new_export_cannot_be_put_in_place_the_old_one_comes_back(exported, tmp_path, monkeypatch):
    before = (exported(perturbed(3)) / "model.safetensors").read_bytes()
    real = Path.rename

    def refuses(self, target):
        if self.suffix == ".tmp":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refuses)
    with pytest.raises(RunError, match="Input/output error"):
        exported(perturbed(6))
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


def test_a_disk_that_fills_up_leaves_the_former_export_and_no_half_one(exported, tmp_path, monkeypatch):
    folder = exported(perturbed(3))
    before = (folder / "model.safetensors").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pretrain.export.save_file", full)
    with pytest.raises(RunError, match=r"(?s)No space left.*hint: free some space"):
        exported(perturbed(6))
    assert (folder / "model.safetensors").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "seam"]
