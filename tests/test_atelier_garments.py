"""Clothes of the Atelier: cuts in order, cloth outside of bodies, details and folds that leave the print alone."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from mavton_lite.data.atelier.body import load_body
from mavton_lite.data.atelier.coat import draw_coat, sample_coat
from mavton_lite.data.atelier.cut import (
    ARMPIT_Z,
    ELBOW,
    NECKS,
    SHOULDER,
    SLEEVES,
    UPPER_ARM_M,
    WAIST_Z,
    WRIST,
    along_arm,
)
from mavton_lite.data.atelier.details import details
from mavton_lite.data.atelier.drape import arm_share, dress_mesh, tights_mesh
from mavton_lite.data.atelier.folds import LARGEST_M, folds, strength
from mavton_lite.data.atelier.garment import DRESS, FLAT_M, UPPER, flat_vertices, sample_garment
from mavton_lite.data.atelier.layer import Camera, see
from mavton_lite.data.atelier.light import Lamps
from mavton_lite.data.atelier.lower import KINDS, SKIRT, TROUSERS, draw_lower, sample_lower
from mavton_lite.data.atelier.poses import Bends

CAMERA = Camera(128, 96, 112.0, (-0.43, 1.08))
RELAXED, BENT = Bends(0.1, 0.1, 0.1, 0.1, 0.0), Bends(1.6, 1.6, 1.0, 1.0, 0.3)


def garments(n, seed=0, options=()):
    return [sample_garment(np.random.default_rng([seed, k]), options) for k in range(n)]


def person(seed, lift=-0.45, flex=0.3):
    """An adult with hanging arms."""
    body = load_body()
    shape, gender = body.sample_shape(np.random.default_rng(seed))
    turns = {}
    for side, sign in (("L", 1), ("R", -1)):
        turns |= {f"upperarm01.{side}": (0.05, 0, sign * lift), f"lowerarm01.{side}": (flex, 0, 0)}
    return SimpleNamespace(posed=body.posed(shape, turns), bends=RELAXED, gender=gender)


def points():
    mesh = tights_mesh()
    return mesh.canonical, mesh.arm


def test_the_way_along_the_arm():
    np.testing.assert_allclose(
        along_arm(np.array([SHOULDER, ELBOW, SHOULDER * [-1, 1, 1]])), [0, UPPER_ARM_M, 0], atol=0.02
    )
    on_the_way = along_arm(np.linspace(SHOULDER, ELBOW, 20).tolist() + np.linspace(ELBOW, WRIST, 20)[1:].tolist())
    assert (np.diff(on_the_way) > 0).all()
    assert SLEEVES["long"] < on_the_way[-1] + 0.01


def test_a_longer_sleeve_contains_a_shorter_one():
    garment = dataclasses.replace(garments(1)[0], sleeve="short", tucked=False)
    cloth = [dataclasses.replace(garment, sleeve_m=reach).signed(*points()) > 0 for reach in sorted(SLEEVES.values())]
    for shorter, longer in zip(cloth, cloth[1:], strict=False):
        assert (longer | ~shorter).all()
        assert longer.sum() > shorter.sum()


def test_hems_and_necklines_are_in_order():
    garment = garments(1)[0]
    low, high = (dataclasses.replace(garment, hem_z=z).signed(*points()) > 0 for z in (0.12, 0.25))
    assert (low | ~high).all() and low.sum() > high.sum()
    for shape in NECKS:
        small, large = (
            dataclasses.replace(garment, neck_shape=shape, neck_width=w, neck_depth=d).signed(*points()) > 0
            for w, d in ((0.07, 0.05), (0.1, 0.14))
        )
        assert (small | ~large).all() and small.sum() > large.sum()
    # at one width and depth a V opens least and a square most
    opening = [
        (dataclasses.replace(garment, neck_shape=k, neck_width=0.09, neck_depth=0.13).signed(*points()) > 0).sum()
        for k in ("V", "crew", "scoop", "square")
    ]
    assert opening == sorted(opening, reverse=True) and opening[0] > opening[-1]


def test_tucking_hides_worn_cloth_only():
    garment = dataclasses.replace(garments(1)[0], tucked=True, hem_z=0.12)
    canonical, arm = points()
    whole, worn = garment.signed(canonical, arm) > 0, garment.signed(canonical, arm, WAIST_Z) > 0
    below = (canonical[:, 2] < WAIST_Z - 0.01) & (arm < 0.5)
    assert (whole & below).any() and not (worn & below).any()
    np.testing.assert_array_equal(
        whole[~below & (canonical[:, 2] > WAIST_Z)], worn[~below & (canonical[:, 2] > WAIST_Z)]
    )
    over = dataclasses.replace(garment, tucked=False)
    np.testing.assert_array_equal(over.signed(canonical, arm, WAIST_Z), over.signed(canonical, arm))


@pytest.mark.parametrize("options", [(), ("dresses",)])
def test_keep_and_faces_agree_with_signed(options):
    for garment in garments(12, 3, options):
        faces = garment.faces
        at, share = load_body().canonical[faces].mean(1), arm_share()[faces].mean(1)
        kept = garment.keep(faces)(np.arange(len(faces)), np.full((len(faces), 3), 1 / 3))
        np.testing.assert_array_equal(kept, garment.signed(at, share) > 0)
        every = garment.mesh().faces
        whole = garment.signed(load_body().canonical[every].mean(1), arm_share()[every].mean(1)) > 0
        assert whole.sum() == kept.sum()  # what `faces` leaves out has no cloth


def test_dresses_are_an_option_and_say_so():
    assert not any(k.dress for k in garments(60))
    dresses = [k for k in garments(60, options=("dresses",)) if k.dress]
    assert dresses
    for garment in dresses:
        assert garment.label == DRESS and garment.mesh() is dress_mesh() and garment.hem_z < 0
    assert all(k.label == UPPER for k in garments(20))


def test_the_flat_lay_is_whole_in_its_picture_and_hardly_laid_on_itself():
    """From the front every point has a place of its own, but for what lies under the sleeves at the armpits."""
    hidden = []
    for garment in garments(16, 5, ("dresses",)):
        uv, faces, (vertices, centre_z, height_m) = garment.coordinates(), garment.faces, garment.flat
        cloth = garment.signed(load_body().canonical, arm_share()) > 0
        span = uv[np.unique(faces[cloth[faces].all(1)])]
        assert span.min() > 0 and span.max() < 1
        assert height_m == FLAT_M or garment.dress  # one camera for all that fits
        flat = Camera(128, 96, 128 / height_m, (-0.375 * height_m, centre_z + height_m / 2))
        a, b, c = (vertices[faces[:, k]] for k in range(3))
        front = np.cross(b - a, c - a)[:, 1] < 0
        keep = garment.keep(faces)
        near = see(flat, vertices, faces, arm_share(), uv, keep=keep)
        far = see(
            flat, vertices * [1, -1, 1], faces, arm_share(), uv, cull=False,
            keep=lambda rows, weight, keep=keep, front=front: keep(rows, weight) & front[rows],
        )  # fmt: skip
        hidden.append((np.abs(near.depth + far.depth)[near.hit & far.hit] > 0.03).mean())  # between two fronts
    assert np.mean(hidden) < 0.02  # hanging sleeves lie over the edge of the torso
    assert np.max(hidden) < 0.04


def layer_of(garment, who, cull=True):
    vertices = garment.drape(who.posed.vertices)
    return see(
        CAMERA, vertices, garment.faces, arm_share(), garment.coordinates(), cull=cull, keep=garment.keep(garment.faces)
    )


def test_where_there_is_no_detail_the_albedo_is_the_print():
    for seed, garment in enumerate(garments(10, 7)):
        layer = layer_of(garment, person(seed))
        hit = layer.hit
        marks = details(
            garment, layer.canonical[hit], garment.edges(layer.canonical[hit], layer.arm[hit]), 1 / CAMERA.px_per_m
        )
        plain = (marks.trim == 0) & (marks.button == 0)
        assert plain.mean() > 0.6
        flat = garment.flat
        place = np.stack([0.75 * (layer.uv[hit][:, 0] - 0.5), 0.5 - layer.uv[hit][:, 1]], 1) * flat.height_m + [
            0,
            flat.centre_z,
        ]
        print_ = garment.cloth.colour(place, layer.canonical[hit], layer.arm[hit], CAMERA.px_per_m)
        surface = garment.surface(layer, CAMERA.px_per_m, BENT)
        np.testing.assert_allclose(surface.albedo[hit][plain], print_[plain], atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(surface.normal[hit], axis=1), 1, atol=1e-5)
        assert surface.shade[hit].min() > 0.15 and surface.shade[hit].max() <= 1


def test_folds_grow_with_the_pose_are_bounded_and_none_is_laid_flat():
    for seed, garment in enumerate(garments(8, 9)):
        layer = layer_of(garment, person(seed))
        canonical, arm = layer.canonical[layer.hit], layer.arm[layer.hit]
        edges = garment.edges(canonical, arm)
        flat, relaxed, bent = (folds(garment, canonical, arm, edges, k)[0] for k in (None, RELAXED, BENT))
        assert (flat == 0).all()
        assert 0 < (relaxed**2).mean() < (bent**2).mean()
        assert np.abs(bent).max() <= LARGEST_M
        assert abs(bent.mean()) < 0.5 * bent.std()
        weak, strong = strength(garment, RELAXED), strength(garment, BENT)
        assert strong.elbow_left > weak.elbow_left and strong.armpit_right > weak.armpit_right > 0
        assert strong.twist > weak.twist == 0
        again = folds(garment, canonical, arm, edges, BENT)[0]
        np.testing.assert_array_equal(again, bent)


def test_elbow_folds_stay_at_the_bent_elbow():
    garment = dataclasses.replace(garments(1)[0], sleeve="long", sleeve_m=SLEEVES["long"], fit=0.01)
    canonical, arm = points()
    edges = garment.edges(canonical, arm)
    one = BENT._replace(elbow_left=0.1, raise_left=BENT.raise_left)
    moved = folds(garment, canonical, arm, edges, BENT)[0] != folds(garment, canonical, arm, edges, one)[0]
    assert moved.any()
    assert (canonical[moved, 0] > 0).all()  # the person's left is +x
    assert np.abs(edges.along[moved] - UPPER_ARM_M).max() < 0.16


def test_draped_cloth_lies_outside_of_the_body():
    shares = []
    for seed, garment in enumerate(garments(24, 11)):
        who = person(seed)
        layer, skin = layer_of(garment, who), see(CAMERA, who.posed.vertices, load_body().faces["body"], arm_share())
        covered = layer.hit & skin.hit & (garment.signed(skin.canonical, skin.arm) > 0.02)
        covered &= (skin.arm > 0.5) == (layer.arm > 0.5)  # an arm before the torso is no skin that pokes through
        shares.append((skin.depth < layer.depth)[covered].mean())
    assert np.mean(shares) < 0.001
    assert np.max(shares) < 0.005


def test_loose_cloth_spans_hollows_and_looser_cloth_stands_further_off():
    mesh, vertices = tights_mesh(), flat_vertices()
    garment = garments(1)[0]
    torso = (mesh.arm < 0.1) & (mesh.canonical[:, 2] > 0.2) & (mesh.canonical[:, 2] < ARMPIT_Z)
    off = []
    for fit in (0.002, 0.01, 0.02):
        draped = dataclasses.replace(garment, fit=fit, flare=0.0).drape(vertices)
        off.append(np.linalg.norm(draped - vertices, axis=1)[mesh.rows][torso])
    assert (off[0] > 0.003).all()
    assert off[0].mean() < off[1].mean() < off[2].mean()
    between = torso & (np.abs(mesh.canonical[:, 0]) < 0.02) & (mesh.canonical[:, 1] < -0.05)
    assert off[2][between[torso]].max() > 0.022 + 0.004  # more than its ease: it does not follow the hollow


def test_lower_clothes_cover_the_hips_and_follow_their_label():
    seen = set()
    for seed in range(40):
        who = person(seed)
        lower = sample_lower(np.random.default_rng(seed), who.gender)
        seen.add(lower.kind)
        (drawn,) = draw_lower(CAMERA, lower, who, Lamps())
        skin = see(CAMERA, who.posed.vertices, load_body().faces["body"], arm_share())
        z = skin.canonical[..., 2]
        hips = skin.hit & (skin.arm < 0.1) & (z < lower.waist_z - 0.01) & (z > 0.0)
        assert drawn.hit[hips].mean() > 0.99
        assert (drawn.depth < skin.depth + 0.002)[hips].mean() > 0.97
        assert not drawn.hit[skin.hit & (skin.arm < 0.1) & (z > lower.waist_z + 0.03)].any()
        assert set(np.unique(drawn.label[drawn.hit])) == {SKIRT if lower.skirt else TROUSERS}
        assert np.isfinite(drawn.colour).all() and np.isinf(drawn.depth[~drawn.hit]).all()
    assert seen >= {"trousers", "jeans"} and len(seen) >= len(KINDS) - 1


def test_an_open_coat_shows_the_middle_and_covers_the_sides():
    for seed in range(6):
        who, coat = person(seed), sample_coat(np.random.default_rng(seed))
        drawn = draw_coat(CAMERA, coat, who, Lamps())
        skin = see(CAMERA, who.posed.vertices, load_body().faces["body"], arm_share())
        x, z = np.abs(skin.canonical[..., 0]), skin.canonical[..., 2]
        torso = skin.hit & (skin.arm < 0.1) & (z > 0.25) & (z < 0.55)
        front = drawn.hit & (drawn.depth < skin.depth)
        assert not front[torso & (x < 0.03)].any()
        assert front[torso & (x > 0.125)].mean() > 0.97
        assert (coat.signed(skin.canonical, skin.arm) > 0)[torso & (x > 0.125)].all()
        assert (drawn.label[drawn.hit] == 7).all()


def test_samples_are_a_function_of_the_generator_and_vary():
    assert garments(3) == garments(3)
    many = garments(200)
    assert {k.sleeve for k in many} == set(SLEEVES)
    assert {k.neck_shape for k in many} == set(NECKS)
    for test in ("tucked", "pocket", "rib", "trim"):
        assert 0 < sum(bool(getattr(k, test)) for k in many) < 120
    assert {k.collar for k in many} == {"none", "polo", "shirt", "stand"}
    assert {k.placket for k in many} == {"none", "short", "full"}
