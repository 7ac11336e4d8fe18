"""People of the Atelier: adults of many shapes in poses that are what they are called and go through nothing."""

import zlib

import numpy as np
import pytest
from scipy.spatial import cKDTree

from mavton_lite.data.atelier.arms import MAX_TURN as MAX_FOREARM
from mavton_lite.data.atelier.arms import angle_about, length, palm_of, unit
from mavton_lite.data.atelier.body import load_body, vertex_normals
from mavton_lite.data.atelier.people import sample_person
from mavton_lite.data.atelier.poses import ARM_POSES, PAIRS, sample_pose
from mavton_lite.data.atelier.stance import MAX_TURN, yaw_of

SIDES = ("left", "right")


def stream_of(seed, index):
    return lambda name: np.random.default_rng([seed, index, zlib.crc32(name.encode())])


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def posed(body):
    """(arms, posed, bends, key points) of 220 people of a seed that tuned nothing."""
    out = []
    for i in range(220):
        rng = np.random.default_rng([77003, i])
        arms, pose, bends = sample_pose(body, body.sample_shape(rng, rng.random())[0], rng)
        out.append((arms, pose, bends, body.keypoints(pose.vertices)))
    return out


def share(body, *names):
    return body.weights[:, [b.startswith(names) or b in names for b in body.bones]].sum(1)


def inside(points, vertices, faces):
    """Which points a mesh goes round: those where its faces fill more than half of the view.

    Source: Jacobson et al., Robust Inside-Outside Segmentation using Generalized Winding Numbers, 2013.
    """
    out = np.zeros(len(points), bool)
    low, high = vertices[faces].min((0, 1)), vertices[faces].max((0, 1))
    near = np.flatnonzero(((points > low) & (points < high)).all(1))
    # A hand that goes in has points just below the surface: those in the open far from it need no look.
    near = near[cKDTree(vertices[np.unique(faces)]).query(points[near])[0] < 0.03]
    for rows in np.array_split(near, len(near) // 64 + 1):
        a, b, c = np.moveaxis(vertices[faces][None] - points[rows, None, None], 2, 0)
        la, lb, lc = (np.sqrt((k**2).sum(-1)) for k in (a, b, c))
        triple = (a * np.cross(b, c)).sum(-1)
        rest = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
        out[rows] = np.arctan2(triple, rest).sum(1) / (2 * np.pi) > 0.5
    return out


def test_inside_is_told_from_outside(body):
    trunk = body.faces["tights"][(share(body, "upperarm", "lowerarm", "wrist")[body.faces["tights"]] < 0.3).all(1)]
    rows = np.unique(trunk)[::5]
    rows = rows[(body.canonical[rows, 2] > 0.05) & (body.canonical[rows, 2] < 0.6)]
    normal = vertex_normals(body.canonical, trunk)[rows]
    assert inside(body.canonical[rows] - 0.008 * normal, body.canonical, trunk).mean() > 0.97
    assert inside(body.canonical[rows] + 0.008 * normal, body.canonical, trunk).mean() < 0.02  # in folds


def collides(body, vertices):
    """Does a vertex of a hand or forearm lie in trunk, head, thighs, the other arm or the own upper arm?"""
    skin, clothed, bare = np.unique(body.faces["body"]), body.faces["tights"], body.faces["body"]
    digits = [f"finger{i}-{j}" for i in range(1, 6) for j in (1, 2, 3)]
    head = share(body, "head", "neck02", "neck03")
    for side, other in (("L", "R"), ("R", "L")):
        own = lambda *names, side=side: share(body, *(f"{n}.{side}" for n in names))  # noqa: E731
        hand, fore = own("wrist", *digits), own("wrist", "lowerarm01", "lowerarm02", *digits)
        arm, across = fore + own("upperarm01", "upperarm02"), own("wrist", "lowerarm02", *digits, side=other)
        fore_points, hand_points = (vertices[skin[k[skin] > 0.7][::4]] for k in (fore, hand))
        hit = {
            "body": inside(fore_points, vertices, clothed[(arm[clothed] < 0.3).all(1)]).any(),
            "head": inside(hand_points, vertices, bare[(head[bare] > 0.5).all(1)]).any(),
            "other hand": inside(fore_points, vertices, bare[(across[bare] > 0.5).all(1)]).any(),
            "own arm": inside(hand_points, vertices, clothed[(fore[clothed] < 0.3).all(1)]).any(),
        }
        if any(hit.values()):
            return next(k for k, v in hit.items() if v)
    return ""


def test_hands_go_through_nothing_in_98_of_100(body, posed):
    hit = [name for _, pose, _, _ in posed if (name := collides(body, pose.vertices))]
    assert len(hit) / len(posed) < 0.02, hit


def test_the_shares_of_poses_are_those_asked_for(posed):
    assert sum(PAIRS.values()) == pytest.approx(1)
    assert sum(ARM_POSES.values()) == pytest.approx(1)
    counts = {name: np.mean([arms.count(name) / 2 for arms, *_ in posed]) for name in ARM_POSES}
    for name, share_ in ARM_POSES.items():
        assert counts[name] == pytest.approx(share_, abs=0.07), name
    assert all(arms.count("raised") <= 1 for arms, *_ in posed)


def test_poses_are_what_they_are_called(posed):
    seen = set()
    for arms, _, bends, at in posed:
        hips = (at["left_hip"] + at["right_hip"]) / 2
        for k, side in enumerate(SIDES):
            shoulder, elbow, wrist = (at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
            outward = (wrist - hips)[0] * (1 if side == "left" else -1)
            seen.add(arms[k])
            if arms[k] == "raised":
                assert wrist[2] > shoulder[2]
                assert bends[2 + k] > 0.9
            else:
                assert wrist[2] < shoulder[2]
            if arms[k] == "down":
                assert wrist[2] < elbow[2] - 0.1
                assert outward > 0.12
                assert bends[2 + k] < 0.6
            if arms[k] == "front":
                assert outward < 0.22
                assert wrist[1] < hips[1] - 0.06  # nearer to the camera
            if arms[k] == "hip":
                assert abs(wrist[2] - hips[2]) < 0.22
                assert abs(elbow[0] - hips[0]) > abs(wrist[0] - hips[0])
    assert seen == set(ARM_POSES)


def test_bends_agree_with_the_key_points(posed):
    for _, _, bends, at in posed:
        for k, side in enumerate(SIDES):
            shoulder, elbow, wrist = (at[f"{side}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
            upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
            assert bends[k] == pytest.approx(np.arccos(upper @ fore), abs=0.35)  # key points lie beside the joints
            assert bends[2 + k] == pytest.approx(np.arccos(upper @ [0, 0, -1]), abs=0.30)
        lines = [at[f"left_{joint}"] - at[f"right_{joint}"] for joint in ("shoulder", "hip")]
        assert abs(bends.turn) < MAX_TURN
        chest, hips = (np.arctan2(line[1], line[0]) for line in lines)
        if abs(bends.turn) > 0.15:
            assert np.sign(chest - hips) == np.sign(bends.turn)


def test_no_one_turns_by_more_than_20_degrees(body, posed):
    turned = 0
    for _, pose, _, _ in posed:
        for name in ("spine01", "head"):
            alone = body.weights[:, body.bones.index(name)].argmax()
            yaw = yaw_of(pose.linear[alone])
            assert abs(yaw) < MAX_TURN
            turned += abs(yaw) > np.radians(8)
    assert turned > len(posed) // 12


def test_forearms_turn_no_further_than_they_can(body, posed):
    """Measured on the posed mesh: how far the palm is turned from thumb up, about the forearm."""
    alone = {name: body.weights[:, body.bones.index(name)].argmax() for name in body.bones}
    for _, pose, _, _ in posed[:60]:
        for side, sign in (("L", 1), ("R", -1)):
            at = {k: body.joints[body.bones.index(f"{k}.{side}")] for k in ("upperarm01", "lowerarm01", "wrist")}
            fore = unit(at["wrist"] - at["lowerarm01"])
            hinge = unit(np.cross(unit(at["lowerarm01"] - at["upperarm01"]), fore))
            local = pose.linear[alone[f"lowerarm01.{side}"]].T @ pose.linear[alone[f"lowerarm02.{side}"]]
            turn = angle_about(fore, sign * hinge, palm_of(body, body.joints, side))
            half = angle_about(fore, hinge, local @ hinge)
            assert abs(turn + half / 0.55) < MAX_FOREARM + 0.25


def test_fingers_curl_inwards(body, posed):
    """Finger tips lie on the palm's side of the line from wrist to knuckle."""
    tips = {side: body.weights[:, body.bones.index(f"finger3-3.{side}")].argmax() for side in "LR"}
    knuckles = {side: body.weights[:, body.bones.index(f"finger3-1.{side}")].argmax() for side in "LR"}
    wrists = {side: body.weights[:, body.bones.index(f"wrist.{side}")].argmax() for side in "LR"}
    for _, pose, _, _ in posed[:60]:
        for side in "LR":
            palm = pose.linear[wrists[side]] @ palm_of(body, body.joints, side)
            rest = palm_of(body, body.joints, side)
            curled = (pose.vertices[tips[side]] - pose.vertices[knuckles[side]]) @ palm
            straight = (body.canonical[tips[side]] - body.canonical[knuckles[side]]) @ rest
            assert 0.002 < curled - straight < 0.06


def test_shapes_and_faces_vary(body):
    rng = np.random.default_rng(5)
    shapes, genders = zip(*(body.sample_shape(rng, rng.random()) for _ in range(60)), strict=True)
    people = [body.rest(shape) for shape in shapes]
    skin = np.unique(body.faces["body"])
    waist = skin[np.abs(body.canonical[skin, 2] - 0.36) < 0.02]
    waist = waist[np.abs(body.canonical[waist, 0]) < 0.2]
    widths = np.array([np.ptp(p.vertices[waist, 0]) for p in people])
    assert np.ptp(widths) > 0.08
    eye, nose, mouth = (body.face_rows[np.linalg.norm(body.canonical[body.face_rows] - at, axis=1).argmin()]
                        for at in ([0.03, -0.14, 0.905], [0, -0.17, 0.87], [0, -0.16, 0.83]))  # fmt: skip
    ratio = np.array([length(p.vertices[nose] - p.vertices[mouth]) / length(p.vertices[eye] - p.vertices[nose])
                      for p in people])  # fmt: skip
    assert ratio.std() / ratio.mean() > 0.05
    shoulders = np.array([np.ptp([p.joints[body.bones.index(f"upperarm01.{s}"), 0] for s in "LR"]) for p in people])
    male = np.array(genders) > 0.5
    assert 0.25 < male.mean() < 0.75
    assert shoulders[male].mean() > shoulders[~male].mean() + 0.03
    hips = skin[np.abs(body.canonical[skin, 2] - 0.13) < 0.02]
    hips = hips[np.abs(body.canonical[hips, 0]) < 0.22]
    to_hips = np.array([np.ptp(p.vertices[waist, 0]) / np.ptp(p.vertices[hips, 0]) for p in people])
    assert to_hips[~male].mean() < to_hips[male].mean() - 0.03


def test_everyone_is_an_adult(body):
    age = body.phenotypes["age"]  # MakeHuman's scale: 1/3 a child of ten, 2/3 an adult of 25, 1 an elder of 90
    assert age.min() >= 0.666
    assert age.max() <= 2 / 3 + (65 - 25) / (90 - 25) / 3 + 0.002
    for kind in ("african", "asian", "caucasian"):
        assert 0.25 < body.phenotypes[kind].mean() < 0.42


def test_tone_leans_the_choice_of_bodies_and_leaves_all_possible(body):
    def kinds(tone):
        rng = np.random.default_rng(1)
        near = lambda shape: np.linalg.norm(body.people - shape[: len(body.components)], axis=1).argmin()  # noqa: E731
        return np.array([body.phenotypes["african"][near(body.sample_shape(rng, tone)[0])] for _ in range(200)])

    light, deep = kinds(0.1), kinds(0.9)
    assert deep.mean() > light.mean() + 0.15
    assert (light > 0.6).any()
    assert (deep < 0.1).any()


def test_every_part_has_a_generator_of_its_own():
    """Another draw for the hair changes the hair alone."""
    plain = stream_of(3, 4)
    one = sample_person(plain)
    two = sample_person(lambda name: np.random.default_rng(1) if name == "hair" else plain(name))
    again = sample_person(stream_of(3, 4))
    np.testing.assert_array_equal(one.vertices, again.vertices)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    for name in ("arms", "bends", "gender", "tone", "look", "complexion", "lower"):
        assert repr(getattr(one, name)) == repr(getattr(two, name))
    assert one.coat is None
    other = sample_person(stream_of(3, 5))
    coated = [sample_person(stream_of(2, i), options=("coats",)).coat is not None for i in range(40)]
    assert 0.2 < np.mean(coated) < 0.6
    assert np.abs(other.vertices - one.vertices).max() > 0.01


def test_the_framing_is_that_of_a_catalogue():
    """Head to thigh: shoulders of a third to a half of the picture's width, and the cut below the hips."""
    for i in range(25):
        person = sample_person(stream_of(11, i))
        at, look = person.keypoints, person.look
        shoulders = length((at["left_shoulder"] - at["right_shoulder"])[:2]) * look.scale / 0.75
        assert 0.33 < shoulders < 0.53
        skin = np.unique(load_body().faces["body"])
        crown = person.vertices[skin[load_body().canonical[skin, 2].argmax()], 2]
        hips = (at["left_hip"][2] + at["right_hip"][2]) / 2
        assert 0.0 < hips - (crown + look.head_margin / look.scale - 1 / look.scale) < 0.30
