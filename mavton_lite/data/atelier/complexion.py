"""The colours and features of a face: skin from light to deep, lips, eyes, brows, freckles, beard, make-up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Light to deep: what the middle of the forehead looks like in plain light.
TONES = np.array(
    [[0.965, 0.835, 0.760], [0.930, 0.765, 0.660], [0.860, 0.665, 0.535], [0.740, 0.530, 0.400],
     [0.575, 0.390, 0.285], [0.415, 0.275, 0.205], [0.285, 0.190, 0.150]]
)  # fmt: skip
BLOOD = np.array([0.10, 0.50, 0.42])  # what blood under the skin takes from red, green, blue light
MELANIN = np.array([0.45, 0.70, 0.90])  # what pigment takes
IRISES = {
    "dark brown": (0.16, 0.09, 0.06), "brown": (0.30, 0.17, 0.09), "amber": (0.45, 0.29, 0.13),
    "hazel": (0.40, 0.34, 0.19), "green": (0.34, 0.42, 0.28), "grey": (0.45, 0.50, 0.53), "blue": (0.36, 0.50, 0.64),
}  # fmt: skip


@dataclass(frozen=True)
class Complexion:
    """How one person's skin and features look.   Units: colours in [0, 1], lengths relative to the middle adult."""

    skin: np.ndarray
    lips: np.ndarray
    iris: np.ndarray
    flush: float  # of cheeks, nose and ears
    mottle: np.ndarray  # (2, 4) slow waves over the skin: a direction (1/m) and a phase
    freckles: float  # 0..1
    stubble: float  # 0..1, shadow of a beard
    beard: float  # 0..1, a short full beard
    brow: np.ndarray  # colour
    brow_shape: tuple[float, float, float]  # thickness, arch, density
    eye_shape: tuple[float, float, float]  # opening, tilt, size of the iris
    lip_shape: tuple[float, float]  # fullness, width
    gaze: tuple[float, float]  # of the iris, metres right and up
    liner: float  # 0..1, eye make-up
    shadow: np.ndarray  # eye shadow colour times its strength, may be zero
    rouge: float
    nails: np.ndarray


def sample_complexion(rng: np.random.Generator, gender: float, tone: float) -> Complexion:
    """A random face for a gender (0 female .. 1 male) and a tone (0 light .. 1 deep)."""
    tone = float(np.clip(tone, 0, 1))
    man = rng.random() < gender
    steps = np.linspace(0, 1, len(TONES))
    skin = np.array([np.interp(tone, steps, TONES[:, k]) for k in range(3)])
    warm, olive = rng.uniform(-1, 1), rng.uniform(-1, 1)  # undertone: rosy to golden, red to green
    skin = np.clip(skin * (1 + warm * np.array([0.0, 0.016, -0.045]) + olive * np.array([-0.022, 0.010, -0.008])), 0, 1)
    made_up = (not man) and rng.random() < 0.55
    lips = skin * np.exp(-rng.uniform(0.75, 1.15) * (1 - 0.45 * tone) * BLOOD - (0.10 + 0.12 * tone) * MELANIN)
    lips = lips + 0.035 * tone * np.array([0.9, 0.45, 0.5])
    if made_up:
        paint = np.array([[0.72, 0.22, 0.26], [0.78, 0.40, 0.40], [0.60, 0.16, 0.24], [0.74, 0.46, 0.40]])
        lips = lips + (paint[rng.integers(4)] * (1 - 0.35 * tone) - lips) * rng.uniform(0.25, 0.75)
    odds = np.interp(tone, [0.0, 0.2, 0.4, 0.6], [0.05, 0.25, 0.85, 0.99])  # of brown eyes
    names = ["dark brown", "brown"] if rng.random() < odds else ["amber", "hazel", "green", "grey", "blue", "brown"]
    iris = np.array(IRISES[str(rng.choice(names))]) * rng.uniform(0.9, 1.1)
    face = rng.random()
    stubble = rng.uniform(0.15, 0.8) if man and face < 0.6 else (0.1 if man else 0.0)
    beard = rng.uniform(0.55, 1.0) if man and 0.42 < face < 0.6 else 0.0
    shadow = np.array([[0.35, 0.24, 0.22], [0.30, 0.26, 0.30], [0.48, 0.30, 0.26]])[rng.integers(3)]
    dark = np.array([0.10, 0.07, 0.055])
    brow = np.where(tone > 0.4, dark, dark + rng.uniform(0, 1) * np.array([0.28, 0.19, 0.12]) * (1 - 2 * tone))
    waves = np.concatenate([rng.normal(0, 38, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 1))], axis=1)
    return Complexion(
        skin=skin,
        lips=np.clip(lips, 0.03, 1),
        iris=np.clip(iris, 0, 1),
        flush=rng.uniform(0.6, 1.3) * (1 - 0.45 * tone),
        mottle=waves,
        freckles=rng.uniform(0.3, 1.0) if tone < 0.35 and rng.random() < 0.22 else 0.0,
        stubble=stubble,
        beard=beard,
        brow=np.clip(brow, 0, 1),
        brow_shape=(
            rng.uniform(1.0, 1.4) if man else rng.uniform(0.65, 1.05),
            rng.uniform(-0.2, 0.5) if man else rng.uniform(0.2, 1.0),
            rng.uniform(0.75, 1.0),
        ),
        eye_shape=(rng.uniform(0.88, 1.14), rng.uniform(-0.6, 1.0), rng.uniform(0.95, 1.06)),
        lip_shape=(rng.uniform(0.85, 1.15) + 0.12 * tone - 0.08 * man, rng.uniform(0.94, 1.06)),
        gaze=(rng.uniform(-0.0012, 0.0012), rng.uniform(-0.0005, 0.0004)),
        liner=rng.uniform(0.4, 1.0) if made_up else (0.0 if man else 0.2),
        shadow=(1 - shadow) * (rng.uniform(0.1, 0.35) if made_up else 0.0),
        rouge=rng.uniform(0.2, 0.7) if made_up else 0.0,
        nails=np.clip(lips * 0.9, 0, 1) if made_up and rng.random() < 0.4 else skin * [0.98, 0.90, 0.92],
    )
