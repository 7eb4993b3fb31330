"""Imports run down, never up, never in a ring; the two packages do not know each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# from the ground up: a module may import from its own floor's folder and from floors below, never from above
PIPELINE_FLOORS = [
    ["errors", "units", "digest"],
    ["text", "document", "programming"],
    ["codes", "sampling", "ready", "holdout"],
    ["sources", "identifier", "tokenizer", "pack", "yamlsafe", "monitor"],
    ["stages", "encode", "vocabulary"],
    ["store"],
    ["engine", "fingerprint"],
    ["steps"],
    ["config", "report", "adopt"],
    ["plan", "progress", "describe"],
    ["remembered"],
    ["run", "trace", "inspection", "fertility"],
    ["cli"],
    ["__main__"],
]


def modules(package: str) -> dict[str, set[str]]:
    """{module: modules of the same project that it imports}, by dotted name."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        imported = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        found[name] = {m for m in imported if m.split(".")[0] in ("pipeline", "pretrain", "torch", "lightning", "ray")}
    return found


def floor(module: str) -> int:
    part = module.split(".")[1] if "." in module else None
    return next((i for i, names in enumerate(PIPELINE_FLOORS) if part in names), -1)


def test_pipeline_imports_neither_torch_nor_pretrain():
    found = modules("pipeline")
    assert len(found) > 20  # else nothing was checked
    strangers = {
        m: i for m, i in found.items() if any(n.split(".")[0] in ("torch", "lightning", "pretrain") for n in i)
    }
    assert not strangers


def test_pretrain_does_not_import_pipeline():
    found = modules("pretrain")
    assert len(found) > 8
    assert not {m for m, i in found.items() if any(n.split(".")[0] == "pipeline" for n in i)}


def test_every_module_of_pipeline_has_a_floor():
    assert not [m for m in modules("pipeline") if "." in m and floor(m) < 0]


def test_imports_of_pipeline_run_down():
    """To its own part (a folder, or a file beside them), or to a floor below: never up, never along a floor."""
    found = {(name, other) for name, imported in modules("pipeline").items() for other in imported}
    apart = [(a, b) for a, b in found if "." in a and "." in b and a.split(".")[1] != b.split(".")[1]]
    assert len(apart) > 200  # else nothing was checked
    assert not [(a, b) for a, b in apart if floor(b) >= floor(a)]


@pytest.mark.parametrize("package", ["pipeline", "pretrain"])
def test_no_ring(package):
    found = modules(package)
    graph = {m: {n for n in imported if n in found and n != m} for m, imported in found.items()}
    while ready := [m for m, below in graph.items() if not below & graph.keys()]:
        for module in ready:
            del graph[module]
    assert not graph, f"these import each other in a ring: {sorted(graph)}"


def test_text_kernels_import_nothing_of_ours_but_each_other():
    for name, imported in modules("pipeline").items():
        if name.startswith("pipeline.text"):
            assert all(n.startswith("pipeline.text") or n == "pipeline" for n in imported), name


def test_stages_see_neither_store_nor_engine():
    for name, imported in modules("pipeline").items():
        if name.startswith("pipeline.stages"):
            assert not [n for n in imported if n.startswith(("pipeline.store", "pipeline.engine"))], name
