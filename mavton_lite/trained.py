"""What a finished training is: its folder, whether it still answers to the settings, and the networks inside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mavton_lite import checkpoint
from mavton_lite.config import Profile, as_dict
from mavton_lite.experiments import Experiment, get_experiment
from mavton_lite.models.build import build_gmm, build_tom
from mavton_lite.models.tryon import TryOnPipeline


@dataclass(frozen=True)
class Trained:
    """The outcome of `train.fit`."""

    experiment: str
    folder: Path
    step: int
    finished: bool
    seconds: float  # of training, all sittings together

    @property
    def log(self) -> Path:
        """The CSV log."""
        return self.folder / "log.csv"

    @property
    def weights(self) -> Path:
        """The weights: final ones, or the last checkpoint's."""
        return self.folder / ("final.safetensors" if self.finished else "last.safetensors")


def data_digest(root: Path) -> str | None:
    """A digest of the training examples; None where there is no data.

    The Atelier's manifest tells what is in each file; of other data sets only the list of training pairs is known.
    """
    manifest, pairs = Path(root) / "manifest.json", Path(root) / "train_pairs.txt"
    if manifest.exists():
        examples = checkpoint.read_json(manifest).get("sha256", {})
        return checkpoint.digest({k: v for k, v in examples.items() if k.startswith("train/")})
    return checkpoint.file_digest(pairs) if pairs.exists() else None


def _relevant(experiment: Experiment, profile: Profile) -> dict[str, Any]:
    """The settings that decide how this experiment's network comes out."""
    profile = experiment.apply(profile)
    loss = as_dict(profile.loss)
    warp_terms = [k for k in loss if k.startswith("warp_")]
    train = as_dict(experiment.training(profile))
    del train["save_every"]
    person, gmm = as_dict(profile.person), as_dict(profile.gmm)
    common = {"size": list(profile.size), "person": person, "gmm": gmm, "train": train}
    if experiment.stage == "gmm":
        return common | {"loss": {k: loss[k] for k in warp_terms}}
    loss = {k: v for k, v in loss.items() if k not in warp_terms}
    if not experiment.adversarial:
        loss = {k: v for k, v in loss.items() if k not in ("adversarial", "gan")}
    discriminator = as_dict(profile.discriminator) if experiment.adversarial else None
    return common | {"loss": loss, "tom": as_dict(profile.tom), "discriminator": discriminator}


def fingerprint(experiment: Experiment, profile: Profile, data: Path, seed: int, gmm: Path) -> dict[str, Any]:
    """Everything a training depends on, in plain JSON types; config.json holds it.

    Raises: ValueError when a try-on stage has no finished matching module in `gmm`, or one of other settings.
    """
    kind = {"stage": experiment.stage, "gate": experiment.gate, "adversarial": experiment.adversarial}
    settings = _relevant(experiment, profile)
    content = {"experiment": kind, "settings": settings, "seed": seed, "data": data_digest(data), "gmm": None}
    if experiment.stage == "tom":
        weights = gmm_weights(gmm)
        other = checkpoint.read_json(gmm / "config.json")["settings"]
        wanted = {k: settings[k] for k in ("size", "person", "gmm")}
        if differs := _differing({k: other.get(k) for k in wanted}, wanted):
            raise ValueError(f"{gmm}: trained with another {', '.join(differs)}; run fit('gmm', ...) with this profile")
        content["gmm"] = checkpoint.read_json(weights.with_name("final.json"))["weights_sha256"]
    return content


def gmm_weights(folder: Path) -> Path:
    """The weights of a finished matching module.   Raises: ValueError saying how to make them."""
    if not (folder / "final.json").exists():
        raise ValueError(f"{folder}: no finished geometric matching module; run fit('gmm', ...) first")
    return folder / "final.safetensors"


def _differing(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Dotted names of what differs between two JSON values, tuples and lists being one."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = [*wanted, *(k for k in found if k not in wanted)]
        return [name for k in keys for name in _differing(found.get(k), wanted.get(k), f"{path}.{k}" if path else k)]
    return [] if checkpoint.digest(found) == checkpoint.digest(wanted) else [path]


def same_fingerprint(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Dotted names of what differs; a data set that is not there any more is taken on trust."""
    if wanted["data"] is None:
        found, wanted = found | {"data": None}, wanted
    return _differing(found, wanted)


def finished(folder: Path, wanted: dict[str, Any]) -> Trained | None:
    """The finished training in a folder, if it is one and answers to that fingerprint."""
    if not all((folder / n).exists() for n in ("config.json", "final.json", "final.safetensors")):
        return None
    if same_fingerprint(checkpoint.read_json(folder / "config.json"), wanted):
        return None
    card = checkpoint.read_json(folder / "final.json")
    return Trained(card["experiment"], folder, card["steps"], True, card["seconds"])


def load_pipeline(
    experiment: str, profile: Profile, out: Path, device: str | torch.device = "cpu", gmm: Path | None = None
) -> TryOnPipeline:
    """The finished matching module and try-on network of `out`, in evaluation mode.

    Raises: ValueError when one of them is not finished, does not fit the profile, or when the try-on network was
    trained on the warps of another matching module.
    """
    chosen = get_experiment(experiment)
    if chosen.stage != "tom":
        raise ValueError(f"{experiment} is no try-on network; wanted one of stage 'tom'")
    profile, out = chosen.apply(profile), Path(out)
    gmm, folder = Path(gmm) if gmm else out / "gmm", out / chosen.name
    if not (folder / "final.json").exists():
        raise ValueError(f"{folder}: not finished; run fit({experiment!r}, ...)")
    weights = gmm_weights(gmm)
    config = checkpoint.read_json(folder / "config.json")
    wanted = {k: _relevant(chosen, profile)[k] for k in ("size", "person", "gmm", "tom")}
    # some of these, such as the way of enlarging, change no weight's shape and would go unnoticed
    if differs := _differing({k: config["settings"].get(k) for k in wanted}, wanted):
        raise ValueError(f"{folder}: trained with another {', '.join(differs)} than this profile's; train it again")
    if config["gmm"] != checkpoint.read_json(weights.with_name("final.json"))["weights_sha256"]:
        raise ValueError(f"{folder}: was trained on the warps of another matching module than {gmm}; train it again")
    pipeline = TryOnPipeline(build_gmm(profile), build_tom(profile, chosen.gate), profile.person)
    checkpoint.read_weights(weights, {"gmm": pipeline.gmm})
    checkpoint.read_weights(folder / "final.safetensors", {"tom": pipeline.tom})
    pipeline.to(device).to(memory_format=torch.channels_last)
    return pipeline.eval().requires_grad_(False)
