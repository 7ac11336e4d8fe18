"""CP-VTON's own checkpoints: read without running code, equal in every order of indices, others refused."""

import dataclasses
import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import original_cpvton as original
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from worlds import network_inputs, random_batch, write_viton

from mavton_lite import zoo
from mavton_lite.cli import main
from mavton_lite.config import PAPER, GMMSettings, TOMSettings
from mavton_lite.convert import convert, original_names, read_original
from mavton_lite.models import gmm as gmm_module
from mavton_lite.models import unet as unet_module
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.tryon import load_model
from mavton_lite.warp import tps

PUBLISHED = json.loads((Path(__file__).parent / "data" / "cpvton_tensors.json").read_text())
SMALL = dataclasses.replace(PAPER, height=128, width=64, gmm=GMMSettings(width=8), tom=TOMSettings(width=4))


def gmm_state(profile=SMALL):
    state = original.random_state(original.gmm_shapes(profile.gmm.width, *profile.size))
    original.gmm(state, *network_inputs(profile.size, seed=1), learn=True)
    return state


def tom_state(profile=SMALL):
    return original.random_state(original.tom_shapes(profile.tom.width, profile.tom.downs), 1)


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path]:
    """Small checkpoints in CP-VTON's names."""
    torch.save(gmm_state(), tmp_path / "gmm_final.pth")
    torch.save(tom_state(), tmp_path / "tom_final.pth")
    return tmp_path / "gmm_final.pth", tmp_path / "tom_final.pth"


def test_names_and_shapes_are_the_published_ones():
    assert [[k, v] for k, v in original.gmm_shapes(64, 256, 192).items()] == PUBLISHED["gmm"]
    assert [[k, v] for k, v in original.tom_shapes(64).items()] == PUBLISHED["tom"]
    with torch.device("meta"):
        networks = {"gmm": build_gmm(PAPER), "tom": build_tom(PAPER)}
    for stage, network in networks.items():
        names = original_names(network)
        assert {names[k]: list(v.shape) for k, v in network.state_dict().items()} == dict(PUBLISHED[stage])


# --- the same outputs ------------------------------------------------------------------------------------------------


def distances(profile, tmp_path, batch=2) -> dict[str, float]:
    """Largest differences between what was converted and the original."""
    states = {"gmm": gmm_state(profile), "tom": tom_state(profile)}
    for stage, state in states.items():
        torch.save(state, tmp_path / f"{stage}.pth")
    gmm = read_original(tmp_path / "gmm.pth", build_gmm(profile))
    tom = read_original(tmp_path / "tom.pth", build_tom(profile))
    person, cloth, mask = network_inputs(profile.size, batch)
    with torch.no_grad():
        warp, drawn = gmm(person, cloth, mask), tom(person, cloth, mask)
        wanted = original.gmm(states["gmm"], person, cloth, mask)
        painted = original.tom(states["tom"], person, cloth)
    found = warp._asdict() | {"warped mask": warp.mask} | drawn._asdict() | {"composition mask": drawn.mask}
    return {k: float((found[k] - v).abs().max()) for k, v in (wanted | painted).items()}


@pytest.mark.parametrize("profile", [SMALL, PAPER], ids=["small", "full"])
def test_outputs_equal_the_originals(profile, tmp_path):
    found = distances(profile, tmp_path, batch=2 if profile is SMALL else 1)
    # the pictures are white noise, which turns an error of 0.001 px into one of 0.002
    bounds = dict.fromkeys(found, 1e-4) | {"cloth": 0.01, "warped mask": 0.01}
    assert all(found[k] < bounds[k] for k in found), found


def _rows_first(a, b):
    """Correlation that counts the person's places row by row."""
    return torch.einsum("bcyx,bcij->byxij", a, b).reshape(len(a), -1, *a.shape[2:])


def _garment_columns_first(a, b):
    return torch.einsum("bcyx,bcij->bxyji", a, b).reshape(len(a), -1, *a.shape[2:])


def _other_roles(a, b):
    return torch.einsum("bcyx,bcij->bxyij", b, a).reshape(len(a), -1, *a.shape[2:])


def _points_y_slow(grid):
    line = torch.linspace(-1, 1, grid, dtype=torch.float64)
    return torch.cartesian_prod(line, line).flip(1)


class _YFirst(tps.TPSGrid):
    def forward(self, theta):
        return super().forward(theta.roll(self.grid**2, 1))


class _Pairs(tps.TPSGrid):
    """theta as x, y, x, y, ..."""

    def forward(self, theta):
        return super().forward(torch.cat([theta[:, ::2], theta[:, 1::2]], 1))


class _Absolute(tps.TPSGrid):
    """theta as places of the control points instead of offsets."""

    def forward(self, theta):
        return super().forward(theta) - self.pixels


def _norm_before_relu(network):
    for layers in (network.person, network.cloth):
        for i in range(1, len(layers) - 1, 3):
            layers[i], layers[i + 1] = nn.Identity(), nn.Sequential(layers[i + 1], nn.ReLU())


def _relu_before_norm(network):
    layers = network.regression.conv
    for i in range(1, len(layers), 3):
        layers[i], layers[i + 1] = nn.ReLU(), layers[i]


OTHERS = {
    "the person's places row by row": (gmm_module, "correlation", _rows_first),
    "the garment's places column by column": (gmm_module, "correlation", _garment_columns_first),
    "channels say where on the garment": (gmm_module, "correlation", _other_roles),
    "control points with y slowest": (tps, "control_points", _points_y_slow),
    "y offsets before x offsets": (gmm_module, "TPSGrid", _YFirst),
    "offsets in pairs": (gmm_module, "TPSGrid", _Pairs),
    "places instead of offsets": (gmm_module, "TPSGrid", _Absolute),
    "features not normalised": (gmm_module, "l2_normalise", lambda f: f),
    "pictures not corner-aligned": (
        gmm_module, "resample",
        lambda p, g, outside, *_: F.grid_sample(p, g, padding_mode=outside, align_corners=False),
    ),
    "nothing outside the cloth": (gmm_module, "resample", lambda p, g, *_: tps.resample(p, g, "zeros")),
    "no instance norm": (unet_module, "instance_norm", lambda x: x),
    "way up before skip": (
        torch, "cat", lambda parts, dim, cat=torch.cat: cat(parts[::-1], dim)
    ),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_every_other_order_is_seen(other, tmp_path, monkeypatch):
    place, name, replacement = OTHERS[other]
    if place is torch:  # the network's own only: the original's is asked first
        place = _OnlyCat(torch)
        monkeypatch.setattr(unet_module, "torch", place)
    monkeypatch.setattr(place, name, replacement)
    assert max(distances(SMALL, tmp_path).values()) > 0.05


class _OnlyCat:
    """A module of which one function can be replaced for one reader."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)

    cat = staticmethod(torch.cat)


@pytest.mark.parametrize("change", [_norm_before_relu, _relu_before_norm])
def test_another_order_of_relu_and_norm_is_seen(change, tmp_path):
    torch.save(gmm_state(), tmp_path / "gmm.pth")
    network = read_original(tmp_path / "gmm.pth", build_gmm(SMALL))
    inputs = network_inputs(SMALL.size)
    with torch.no_grad():
        right = network(*inputs).theta
        change(network)
        assert (network.eval()(*inputs).theta - right).abs().max() > 0.05


@pytest.mark.parametrize("settings", [{"upsample": "nearest"}, {"final_norm": False}])
def test_another_way_up_is_seen(settings, tmp_path):
    state, (person, cloth, mask) = tom_state(), network_inputs(SMALL.size)
    torch.save(state, tmp_path / "tom.pth")
    other = read_original(tmp_path / "tom.pth", TOM(dataclasses.replace(SMALL.tom, **settings)))
    with torch.no_grad():
        assert (other(person, cloth, mask).image - original.tom(state, person, cloth)["image"]).abs().max() > 0.05


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_converted_model_is_used_like_a_released_one(files, tmp_path):
    card = json.loads(convert(*files, tmp_path / "out" / "cpvton.safetensors", SMALL).read_text())
    assert card["source"]["gmm"]["file"] == "gmm_final.pth" and len(card["source"]["tom"]["sha256"]) == 64
    assert card["experiment"] == "cp_vton" and "MIT" in card["licence"]
    pipeline = load_model(str(tmp_path / "out" / "cpvton.safetensors"))
    assert isinstance(pipeline, TryOnPipeline) and not pipeline.training
    batch = random_batch(size=SMALL.size)
    with torch.no_grad():
        person, warp, drawn = pipeline(batch)
        wanted = original.gmm(gmm_state(), person.matching, batch["cloth"], batch["cloth_mask"])
        painted = original.tom(tom_state(), person.agnostic, wanted["cloth"])
    torch.testing.assert_close(warp.theta, wanted["theta"], atol=1e-4, rtol=1e-3)
    assert (drawn.image - painted["image"]).abs().mean() < 1e-3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["cpvton.json", "cpvton.safetensors"]


def test_the_matching_module_alone(files, tmp_path):
    convert(files[0], None, tmp_path / "only.safetensors", SMALL)
    assert zoo.load_released("only", folder=tmp_path).tps.grid == 5
    with pytest.raises(ValueError, match="only.safetensors: found a geometric matching module alone"):
        load_model(str(tmp_path / "only.safetensors"))


@pytest.mark.parametrize("form", ["DataParallel", "old torch", "no counters", "half"])
def test_other_forms_of_the_same_file(form, tmp_path):
    state, path = gmm_state(), tmp_path / "gmm.pth"
    wanted = read_state(state, tmp_path / "plain.pth")
    changed = {
        "DataParallel": {f"module.{k}": v for k, v in state.items()},
        "old torch": state,
        "no counters": {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")},
        "half": {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
    }[form]
    torch.save(changed, path, _use_new_zipfile_serialization=form != "old torch")
    found = read_original(path, build_gmm(SMALL)).state_dict()
    for key, value in wanted.items():
        if not key.endswith("num_batches_tracked"):
            torch.testing.assert_close(found[key], value, atol=2e-3 if form == "half" else 0, rtol=0)


def read_state(state, path):
    torch.save(state, path)
    return read_original(path, build_gmm(SMALL)).state_dict()


def test_other_files_are_refused_by_name(files, tmp_path):
    gmm, tom = build_gmm(SMALL), build_tom(SMALL)
    with pytest.raises(ValueError, match=r"tom_final.pth: no geometric matching .*found no extractionA.model.0.w"):
        read_original(files[1], gmm)
    with pytest.raises(ValueError, match=r"gmm_final.pth: no try-on network .*wanted one \(4, 25, 4, 4\)"):
        read_original(files[0], tom)
    plus = gmm_state()
    plus["extractionB.model.0.weight"] = plus["extractionB.model.0.weight"][:, :1]  # CP-VTON+ looks at the mask
    for state, message in (
        (plus, r"found extractionB.model.0.weight \(8, 1, 4, 4\), wanted \(8, 3, 4, 4\)"),
        (gmm_state() | {"extra": torch.zeros(2)}, r"found extra \(2,\), wanted none"),
        (gmm_state() | {"regression.linear.bias": torch.full((50,), torch.nan)}, "linear.bias that is not finite"),
        (gmm_state() | {"epoch": 3}, "'epoch', which holds a int and no tensor"),
        ([torch.zeros(2)], "found a list, wanted what"),
    ):
        torch.save(state, tmp_path / "other.pth")
        with pytest.raises(ValueError, match=rf"other.pth: .*{message}"):
            read_original(tmp_path / "other.pth", gmm)
    (tmp_path / "other.pth").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match="other.pth: found no file of plain tensors"):
        read_original(tmp_path / "other.pth", gmm)
    with pytest.raises(ValueError, match="none.pth: found no such file"):
        read_original(tmp_path / "none.pth", gmm)
    with pytest.raises(ValueError, match="out.pth: found the ending '.pth'"):
        convert(*files, tmp_path / "out.pth", SMALL)


class _Trap:
    """Pickled, it writes a file when it is read by a reader that runs what files say."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_code_in_a_file_is_not_run(tmp_path):
    trap = tmp_path / "sprung"
    torch.save(gmm_state() | {"trap": _Trap(trap)}, tmp_path / "new.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(_Trap(trap), protocol=2))
    for name in ("new.pth", "plain.pth"):
        with pytest.raises(ValueError, match=f"{name}: found no file of plain tensors"):
            read_original(tmp_path / name, build_gmm(SMALL))
    assert not trap.exists()


@pytest.fixture
def mavton(tmp_path, capsys, monkeypatch):
    """The command line in an empty folder: arguments -> exit code, what was said."""

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        return ended.value.code or 0, capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    return run


def test_command_line(files, mavton, monkeypatch):
    monkeypatch.setattr(convert, "__defaults__", (SMALL,))
    code, said = mavton("convert", "--gmm", "gmm_final.pth", "--tom", "tom_final.pth", "--out", "cpvton.safetensors")
    assert code == 0 and "cpvton.json" in said.out
    code, said = mavton("convert", "--gmm", "tom_final.pth", "--out", "x.safetensors")
    assert code == 1 and said.err.startswith("mavton: tom_final.pth: no geometric matching module")
    assert not Path("x.safetensors").exists()
    code, said = mavton("tryon", "--photo", "no.jpg", "--cloth", "no.png", "--out", "x.png", "--model", "x.safetensors")
    assert code == 1 and "no.jpg" in said.err


def test_a_converted_model_is_scored_at_its_own_profile(files, mavton, monkeypatch):
    convert(*files, Path("cpvton.safetensors"), SMALL)
    asked = {}

    def evaluate(predict, dataset, *, model, profile, **_):
        asked[model] = (profile.size, dataset[0]["image"].shape[1:], predict)
        rules = SimpleNamespace(pairs="unpaired", split="test", n=4, subset="all")
        return SimpleNamespace(save=lambda folder: folder / f"{model}.json", protocol=rules)

    monkeypatch.setattr("mavton_lite.metrics.evaluate", evaluate)
    monkeypatch.setattr("mavton_lite.records.readable", lambda found: pd.DataFrame({"model": list(asked), "seed": 0}))
    root = write_viton(Path("viton"), 2, 4)
    code, said = mavton("evaluate", "cpvton.safetensors", "--data", str(root), "--records", "records")
    assert code == 0, said.err
    assert list(asked) == ["copy_person", "paste_cpvton_warp", "cpvton"]
    assert all(size == shape == SMALL.size for size, shape, _ in asked.values())
    code, said = mavton("evaluate", "gone.safetensors", "--data", str(root))
    assert code == 1 and said.err.startswith("mavton: gone.safetensors: found no such file")
