"""The model's file gives back what was put in, and a damaged one is refused; training is a function of its input."""

import numpy as np
import pytest

from pipeline.text.lid_model import DIM, OTHER, Model, load


def small(seed=0, classes=4, rows=500):
    draw = np.random.default_rng(seed)
    return Model(
        embedding=draw.integers(-127, 128, (rows, DIM)).astype(np.int8),
        steps=draw.uniform(0.001, 0.02, DIM).astype(np.float32),
        output=draw.normal(size=(DIM, classes)).astype(np.float32),
        masks=np.full(classes, 0b1111111111110, np.int32),
        labels=np.array([*range(classes - 1), classes - 1], np.int32),
        names=("en", "sw", "zu", OTHER),
        code=(),
        calibration=((0.0, 0.0), (0.5, 0.4), (1.0, 1.0)),
        about={"samples": 3},
    )


def test_a_model_comes_back_from_its_file_and_is_mapped(tmp_path):
    model, path = small(), tmp_path / "m.safetensors"
    path.write_bytes(model.to_bytes())
    back = load(path)
    for name in ("embedding", "steps", "output", "masks", "labels"):
        assert np.array_equal(getattr(back, name), getattr(model, name)), name
    assert (back.names, back.code, back.calibration, back.about) == (
        model.names, model.code, model.calibration, model.about,
    )  # fmt: skip
    assert not back.embedding.flags.owndata
    assert back.to_bytes() == model.to_bytes()


def test_any_reader_of_safetensors_opens_the_file(tmp_path):
    numpy_of = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    path.write_bytes(small().to_bytes())
    assert np.array_equal(numpy_of.load_file(path)["embedding"], small().embedding)


@pytest.mark.parametrize("keep", [0, 4, 8, 60, 5_000])
def test_a_file_that_is_cut_short_is_refused(tmp_path, keep):
    path = tmp_path / "m.safetensors"
    path.write_bytes(small().to_bytes()[:keep])
    with pytest.raises(ValueError):
        load(path)


def test_labels_and_shapes_that_the_kernels_could_not_bear_are_refused(tmp_path):
    path, model = tmp_path / "m.safetensors", small()
    for spoiled in ({"labels": model.labels + 1}, {"labels": model.labels - 1}, {"output": model.output[:, :3]}):
        path.write_bytes(Model(**{**vars(model), **spoiled}).to_bytes())
        with pytest.raises(ValueError):
            load(path)
