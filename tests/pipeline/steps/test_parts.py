"""Steps of part-wise stages: what they ask of a stage."""

from dataclasses import replace

import pytest

from pipeline.stages.dedup_lines import DedupLines
from tests.pipeline.making import config, go, write_jsonl


@pytest.mark.parametrize("order", [[1, 0], [0, 0]])
def test_keys_out_of_order_stop_the_run_instead_of_getting_lost(tmp_path, monkeypatch, order):
    real = DedupLines.observe

    def disordered(self, docs):
        observed = real(self, docs)
        two = observed.keys.num_rows == 2  # else it is warming up
        return replace(observed, keys=observed.keys.take(order)) if two else observed

    monkeypatch.setattr(DedupLines, "observe", disordered)
    write_jsonl(tmp_path / "a.jsonl", ["first line\nother line"])
    with pytest.raises(AssertionError, match="dedup_lines: keys must rise"):
        go(config(tmp_path, stages=[{"dedup_lines": {"min_chars": 1}}]))
