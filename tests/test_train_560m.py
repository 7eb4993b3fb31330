"""The GPU benchmark works the first time: every kind of cell runs here at its small size, and no failure is silent."""

import importlib
import json
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "benchmarks")]
bench, base, cell, floor, profiled, steps = map(
    importlib.import_module,
    ("train_560m", "train_560m_base", "train_560m_cell", "train_560m_floor", "train_560m_profile", "train_560m_step"),
)

KINDS = sorted({one.spec["kind"] for one in bench.full()} - {"match"} | {"machine"})


@pytest.fixture(scope="module")
def rows():
    """{kind: its rows}, of every small cell, in this process."""
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    threads, found = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    for one in [bench.cell("machine"), *bench.small()]:
        if one is not bench.MATCH:
            told = base.Rows()
            cell.run(one.spec, told)
            found.setdefault(one.spec["kind"], []).extend(told.found)
    torch.set_num_threads(threads)
    return found


def values(rows, kind):
    return {(r["work"], r["who"]): r["value"] for r in rows[kind]}


def test_every_kind_of_the_full_run_has_a_small_one():
    assert {one.spec["kind"] for one in bench.small()} - {"match"} | {"machine"} == set(KINDS)
    known = set(steps.Ours.__dataclass_fields__) | {"small", "kind", "micro_batches", "head_sizes", "chunks"}
    known |= {"checkpointing", "compiled"}
    assert set().union(*(one.spec for one in bench.full())) <= known


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_of_each_kind_gives_rows_with_numbers(rows, kind):
    for row in rows[kind]:
        assert set(row) == {"work", "who", "value", "unit", "higher_is_better", "about"}
        assert json.loads(json.dumps(row)) == row
        assert row["value"] is not None or row["about"]["failed"]
    if kind != "flex":  # no backward pass on a CPU, which is told
        assert any(row["value"] for row in rows[kind])


def test_a_step_tells_its_phases_its_graphs_and_a_loss_near_that_of_no_knowledge(rows):
    first, *_ = rows["step"]
    about = first["about"]
    assert set(about["phases"]) == {"forward", "loss", "backward", "clip", "optimizer", "end"}
    assert about["milliseconds"] == pytest.approx(sum(about["phases"].values()), rel=0.9)
    assert about["graphs"] == 1  # the blocks share one compilation
    assert about["losses"][0] == pytest.approx(6.238, abs=0.05)  # ln 512
    assert about["losses"][-1] < about["losses"][0]  # it learns: the same rows again and again


def test_the_ways_to_run_our_model_start_from_the_same_loss():
    shape, losses = base.SMALL, []
    for how in (steps.Ours(), steps.Ours(backend="eager", compile="none", fused=False), steps.Ours(compile="whole")):
        model = how.build(shape)
        ids, targets = base.batch(shape, 2, base.device())
        with base.bf16(base.device()):
            losses.append(how.loss(model)(ids, targets).item())
    assert losses == pytest.approx([losses[0]] * 3, abs=2e-2)


def test_two_micro_batches_make_the_gradient_of_one_of_twice_the_size():
    twice, once = (steps.Ours(compile="none", fused=False, accumulate=n) for n in (2, 1))
    model = twice.build(base.SMALL)
    run = steps.Run(model, twice.loss(model), base.SMALL, 1, 2)
    run.loss(*run.batches[0]).backward()
    run.loss(*run.batches[1]).backward()
    got = model.word_embeddings.weight.grad.clone()
    model.zero_grad()
    ids, targets = (torch.cat(parts) for parts in zip(*run.batches, strict=True))
    once.loss(model)(ids, targets).backward()
    torch.testing.assert_close(got, model.word_embeddings.weight.grad)


def test_synthetic_rows_are_tokens_of_which_the_first_are_the_most_frequent():
    ids, targets = base.batch(base.FULL, 8, torch.device("cpu"))
    assert ids.shape == targets.shape == (8, 2048)
    assert torch.equal(ids[:, 1:], targets[:, :-1])
    assert int(ids.min()) >= 0 and int(ids.max()) < base.FULL.vocab
    assert 0.03 < float((ids == 0).float().mean()) < 0.09  # ln 2 / ln 250,880 = 0.056


def test_out_of_memory_ends_a_sweep_and_is_told():
    told = base.Rows()

    def one(size):
        if size > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 15.3 GiB")
        told.add(f"step, x, micro-batch {size}", 1.0, "tokens/s")

    steps.sweep("x", "someone", told, [1, 2, 4, 8], one)
    assert [row["value"] for row in told.found] == [1.0, 1.0, None]
    assert told.found[-1]["about"]["failed"] == "out of memory"


def test_a_torch_before_2_13_is_told_to_have_no_loss_of_that_kind(monkeypatch):
    monkeypatch.delattr(torch.nn.functional, "linear_cross_entropy", raising=False)
    told = base.Rows()
    cell.run({"kind": "torch loss", "micro_batch": 1, "chunks": [64], "small": True}, told)
    assert [(row["value"], row["about"]["failed"]) for row in told.found] == [
        (None, f"torch {torch.__version__} has no linear_cross_entropy")
    ]


def test_the_prediction_counts_flops_as_the_plan_does():
    from pretrain.model import ModelConfig
    from pretrain.plan import flops_per_token

    for shape in (base.FULL, base.SMALL):
        size = (shape.vocab, shape.hidden, shape.layers)
        assert floor.flops_a_token(*size, shape.seq) == sum(flops_per_token(shape.config, shape.seq))
        assert floor.parameters(*size) == ModelConfig(*size, shape.heads).num_parameters
    assert floor.flops_a_token(250_880, 1024, 24, 2048) == pytest.approx(3.957e9, rel=1e-3)


def test_a_prediction_worked_by_hand():
    # 1 token a step, V 10, C 2, L 1, s 1, one chunk: blocks 72 * 4 = 288 FLOPs, logits 6 * 20 = 120, attention 12
    found = floor.parts(10, 2, 1, 1, floor.How(micro_batch=1))
    assert [found[name].flops for name in found][:3] == [288.0, 120.0, 12.0]
    assert found["elementwise of the loss"].bytes == 6 * 10 + 8 * 20  # each logit 6 bytes; the gradient once over
    slow = floor.parts(10, 2, 1, 1, floor.How(micro_batch=1, fused=False, wide_product=False))
    assert slow["elementwise of the loss"].bytes == 26 * 10 + 12 * 20
    assert floor.Part(flops=989.4e12).floor == pytest.approx(1000.0)  # a second
    assert floor.Part(bytes=3.35e12).expected == pytest.approx(1000 / 0.85)


def event(name, cat, begin, took, thread=1):
    return {"ph": "X", "name": name, "cat": cat, "ts": begin, "dur": took, "tid": thread}


TRACE = [
    event("nvjet_tst_128x256_64x4_2x1_v_bz_TNT", "kernel", 10, 4),
    event("cudnn_generated_fort_native_sdpa_sm90_flash_fprop_wgmma_f16", "kernel", 15, 2),
    event("phase:forward", "user_annotation", 20, 1),
    event("nvjet_tst_128x256_64x4_2x1_v_bz_TNN", "kernel", 22, 8),
    event("triton_red_fused__to_copy_amax_exp_sub_sum_0", "kernel", 31, 6),
    event("phase:loss", "user_annotation", 40, 1),
    event("void pytorch_flash::flash_bwd_dq_dk_dv_loop_seqk_parallel_kernel<cutlass::bfloat16_t>", "kernel", 45, 5),
    event("triton_per_fused_native_layer_norm_backward_3", "kernel", 51, 3),
    event("phase:backward", "user_annotation", 60, 1),
    event("void at::native::multi_tensor_apply_kernel<LpNorm>", "kernel", 61, 1),
    event("phase:clip", "user_annotation", 63, 1),
    event("void at::native::multi_tensor_apply_kernel<FusedAdam>", "kernel", 64, 7),
    event("phase:optimizer", "user_annotation", 80, 1),
    event("aten::mm", "cpu_op", 9, 1),
]


def test_a_kernel_belongs_to_the_phase_whose_mark_comes_next_and_to_the_part_of_its_kind():
    found = [(k.phase, k.kind, k.part) for k in profiled.kernels_of(TRACE)]
    assert found == [
        ("forward", "GEMM", "GEMMs of the blocks"),
        ("forward", "attention", "attention"),
        ("loss", "GEMM", "GEMMs of the logits"),
        ("loss", "reduction", "elementwise of the loss"),
        ("backward", "attention", "attention"),
        ("backward", "LayerNorm", "elementwise of the blocks"),
        ("clip", "optimizer", "clip and optimizer"),
        ("optimizer", "optimizer", "clip and optimizer"),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("triton_poi_fused__scaled_dot_product_flash_attention_cat_2", "elementwise"),  # what feeds it
        ("triton_tem_fused_flex_attention_backward_1", "attention"),
        ("triton_poi_fused_addmm_gelu_5", "GELU"),
        ("triton_tem_fused_addmm_mm_7", "GEMM"),
        ("triton_red_fused__to_copy_add_native_layer_norm_0", "LayerNorm"),
        ("fmha_cutlassF_bf16_aligned_64x128_rf_sm80(...)", "attention"),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x256x64", "GEMM"),
        ("void at::native::(anonymous namespace)::CatArrayBatchedCopy_aligned16_contig", "copy"),
        ("void at::native::vectorized_elementwise_kernel<4, at::native::exp_kernel_cuda>", "elementwise"),
        ("Memcpy DtoD (Device -> Device)", "copy"),
    ],
)
def test_the_kind_of_a_kernel_is_read_off_its_name(name, kind):
    assert profiled.Kernel(name, 0, 1, "backward").kind == kind


def test_without_a_gpu_an_operator_has_the_time_that_its_callees_have_not():
    trace = [
        event("aten::linear", "cpu_op", 0, 10),
        event("aten::addmm", "cpu_op", 2, 6),
        event("aten::copy_", "cpu_op", 3, 1),
        event("aten::gelu", "cpu_op", 4, 5, thread=2),
    ]
    assert {k.name: k.took for k in profiled.kernels_of(trace)} == {
        "aten::linear": 4, "aten::addmm": 5, "aten::copy_": 1, "aten::gelu": 5,
    }  # fmt: skip


def test_the_parts_of_a_profile_add_up_to_all_of_it(rows):
    told = {r["work"]: r["value"] for r in rows["profile"]}
    parts = sum(value for work, value in told.items() if work.startswith("profile by part"))
    kinds = sum(value for work, value in told.items() if work.startswith("profile by kind"))
    assert parts == pytest.approx(told["profile, all kernels"]) == pytest.approx(kinds)
    assert told["profile by part, GEMMs of the blocks"] > 0


CHILD = {
    "writes and ends": "row(1)",
    "writes and hangs": "row(1); import time; time.sleep(600)",
    "writes and is killed": "row(1); import os; os.abort()",
    "raises": "raise ValueError('no such kernel')",
    "is cut off within a row": "row(1); open(sys.argv[2], 'a').write('{\"wor'); sys.exit(3)",
}


@pytest.mark.parametrize(
    ("does", "count", "why"),
    [
        ("writes and ends", 1, ""),
        ("writes and hangs", 1, "stopped after 5 s"),
        ("writes and is killed", 1, "exit -6: it said nothing"),
        ("raises", 0, "exit 1: ValueError: no such kernel"),
        ("is cut off within a row", 1, "exit 3: it said nothing"),
    ],
)
def test_what_a_child_knew_is_kept_and_why_it_ended_is_told(tmp_path, monkeypatch, does, count, why):
    head = "import json, sys\ndef row(n): open(sys.argv[2], 'a').write(json.dumps({'n': n}) + '\\n')\n"
    (tmp_path / "train_560m_cell.py").write_text(head + CHILD[does])
    monkeypatch.setattr(bench, "HERE", tmp_path)
    begin = time.monotonic()
    found, told = bench.child(bench.cell("step"), 5.0)  # a loaded machine takes seconds to begin
    assert ([row["n"] for row in found], told) == ([1] * count, why)
    assert time.monotonic() - begin < 300  # it would sleep for twice that


def test_what_does_not_fit_into_the_time_is_named_and_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "child", lambda *_: pytest.fail("it was run"))
    run = bench.Bench(minutes=0.1, json=tmp_path / "rows.json")
    run.run(bench.cell("step", 25, micro_batch=16))
    row = json.loads((tmp_path / "rows.json").read_text())[0]
    assert row["value"] is None
    assert row["about"]["failed"] == "not run: 6 s were left and it takes about 25 s"
    assert row["work"] == "step, micro_batch 16"


def made(who, speed, micro_batch, how="eager attention"):
    about = {"micro_batch": micro_batch, "tokens_a_step": micro_batch * 2048}
    work = f"step, {how}, micro-batch {micro_batch}"
    return {"work": work, "who": who, "value": speed, "unit": "tokens/s", "higher_is_better": True, "about": about}


def test_ours_is_set_beside_transformers_at_its_largest_batch_and_each_at_its_best():
    theirs = [made("hf", 10_000.0, 1), made("hf", 20_000.0, 2), made("hf", 16_000.0, 8, "gradient checkpointing")]
    ours = [made("seedbed", 80_000.0, 2), made("seedbed", 60_000.0, 1), made("seedbed", 120_000.0, 16)]
    assert [one.spec["micro_batch"] for one in bench.matching([*theirs, *ours], small=False)] == [8]
    ours += [made("seedbed", 112_000.0, 8)]
    assert bench.matching([*theirs, *ours], small=False) == []
    assert {row["work"]: row["value"] for row in bench.ratios([*theirs, *ours])} == {
        "tokens/s beside hf, micro-batch 2": 4.0,
        "tokens/s beside hf, gradient checkpointing, micro-batch 8": 7.0,
        "tokens/s beside hf, each at its best": 6.0,
    }
    assert "120,000 tokens/s" in bench.verdict(ours) and "125,000 good, not reached" in bench.verdict(ours)


def test_all_cells_of_the_full_run_but_the_last_few_fit_into_eight_minutes():
    spent, fit = 10.0, []
    for one in bench.full():
        spent += one.usual
        fit.append(spent < 480)
    assert sum(fit) >= 15  # those of the greatest worth; the rest if all goes faster than said


@pytest.mark.parametrize("row", [made("seedbed", 120_000.0, 16), bench.failed(bench.cell("flex"), "exit 1: no kernel")])
def test_a_line_of_the_table_tells_the_number_or_why_there_is_none(row):
    told = bench.line(row)
    assert ("120,000" in told) if row["value"] else ("no kernel" in told)


def test_without_lightning_pydantic_transformers_and_numpy_the_other_cells_are_there():
    """What they import: torch, pretrain.model, attention, loss and errors. Checked by name, as an import hook would."""
    import ast

    allowed = {"torch", "pretrain", "__future__", *sys.stdlib_module_names}
    for path in sorted((ROOT / "benchmarks").glob("train_560m*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:  # at the top of the file; within functions it is what a cell tells as missing
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in names:
                assert name.split(".")[0] in allowed or name.startswith("train_560m"), (path, name)
                if name.startswith("pretrain."):
                    assert name in {"pretrain.model", "pretrain.attention", "pretrain.loss", "pretrain.errors"}


WAYS = [
    {"compile": "none", "fused": False},
    {"compile": "block", "fused": True},
    {"compile": "block", "fused": True, "backend": "flex"},
    {"compile": "block", "fused": False, "backend": "auto"},
    {"compile": "none", "fused": True, "kernel": "flash"},
    {"compile": "none", "fused": True, "kernel": "cudnn"},
    {"compile": "whole", "fused": True},
]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: " ".join(map(str, way.values())))
def test_on_a_gpu_each_way_to_run_our_model_gives_the_loss_and_gradient_of_eager_attention(way):
    torch._dynamo.reset()  # else the ways before this one count against its recompilations
    shape = base.Shape(4096, 256, 3, 4, 384)

    def of(how):
        model = how.build(shape)
        ids, targets = base.batch(shape, 2, base.device())
        with base.bf16(base.device()):
            loss = how.loss(model)(ids, targets)
            loss.backward()
        return loss.item(), torch.cat([p.grad.flatten() for p in model.parameters()])

    loss, gradient = of(steps.Ours("eager", "none", False))
    try:
        other, found = of(steps.Ours(**way))
    finally:
        for name in steps.KERNELS:
            getattr(torch.backends.cuda, f"enable_{name}_sdp")(True)
    assert other == pytest.approx(loss, rel=1e-3)
    assert (found - gradient).norm() < 0.03 * gradient.norm()
