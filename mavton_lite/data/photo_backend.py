"""Who is in the photograph: pose and person mask from whichever detector this machine has.

A backend is a name behind one interface, `Backend.read(rgb) -> Reading`. Both map their joints to COCO-18 by a table.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from .sample import COCO18

# MediaPipe Pose's 33 landmarks (BlazePose topology) by COCO-18 name; left and right are the person's own in both.
BLAZEPOSE = {
    "nose": 0, "right shoulder": 12, "right elbow": 14, "right wrist": 16, "left shoulder": 11, "left elbow": 13,
    "left wrist": 15, "right hip": 24, "right knee": 26, "right ankle": 28, "left hip": 23, "left knee": 25,
    "left ankle": 27, "right eye": 5, "left eye": 2, "right ear": 8, "left ear": 7,
}  # fmt: skip

# Keypoint R-CNN's 17 joints (COCO's own order) by COCO-18 name.
COCO17 = {
    "nose": 0, "left eye": 1, "right eye": 2, "left ear": 3, "right ear": 4, "left shoulder": 5, "right shoulder": 6,
    "left elbow": 7, "right elbow": 8, "left wrist": 9, "right wrist": 10, "left hip": 11, "right hip": 12,
    "left knee": 13, "right knee": 14, "left ankle": 15, "right ankle": 16,
}  # fmt: skip

INSTALL_MEDIAPIPE = (
    "pip install --no-deps mediapipe==0.10.21 && "
    'pip install absl-py attrs flatbuffers opencv-python-headless "protobuf>=4.25.3,<7"'
)
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip  # MediaPipe FaceMesh's outline, clockwise from the top of the forehead


class NoPersonError(ValueError):
    """The detector saw nobody; the caller knows the file and says which."""


class BackendMissingError(ValueError):
    """A backend cannot run here; the message says what to install."""


@dataclass(frozen=True)
class Reading:
    """What a detector saw of the most prominent person, in pixels of the photograph.

    Shape: keypoints (18, 3) x, y, confidence (may lie outside the photograph); person (H, W) float32 in [0, 1];
    face (N, 2) outline of the face, or None when only the pose was found.
    """

    keypoints: np.ndarray
    person: np.ndarray
    face: np.ndarray | None
    info: dict = field(default_factory=dict)  # backend, its version, digests of its weights
    people: int = 1  # how many it saw; 0 when it found a body and no face


class Backend(Protocol):
    """`read` raises NoPersonError when nobody is there, BackendMissingError when its packages or weights are not."""

    name: str

    def read(self, rgb: np.ndarray) -> Reading: ...


def to_coco18(joints: np.ndarray, table: dict[str, int]) -> np.ndarray:
    """A detector's joints in COCO-18's order; the neck is the shoulders' midpoint.

    Shape: (J, 3) x, y, confidence -> (18, 3).
    """
    out = np.zeros((18, 3), np.float32)
    for name, index in table.items():
        out[COCO18.index(name)] = joints[index]
    right, left = out[COCO18.index("right shoulder")], out[COCO18.index("left shoulder")]
    out[COCO18.index("neck")] = (*(right[:2] + left[:2]) / 2, min(right[2], left[2]))
    return out


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


@contextlib.contextmanager
def quiet():
    """Silence this process's stderr, native threads included: MediaPipe's logger has no other switch.

    With protobuf 5 and later its native code also prints an error that it then does without, through `sys.excepthook`:
    a notebook would take that for a failed cell.
    """
    sys.stderr.flush()
    saved, hook = os.dup(2), sys.excepthook
    sys.excepthook = lambda *_: None
    try:
        with tempfile.TemporaryFile() as sink, contextlib.redirect_stderr(open(os.devnull, "w")):  # noqa: SIM115
            os.dup2(sink.fileno(), 2)
            yield
    finally:
        sys.excepthook = hook
        os.dup2(saved, 2)
        os.close(saved)


class MediaPipe:
    """MediaPipe's Pose, SelfieSegmentation, FaceMesh and FaceDetection: models inside the wheel, no network.

    Source: Bazarevsky et al. 2020 (BlazePose); mediapipe 0.10.21, Apache-2.0.
    """

    name = "mediapipe"
    models = (
        "modules/pose_detection/pose_detection.tflite",
        "modules/pose_landmark/pose_landmark_full.tflite",
        "modules/selfie_segmentation/selfie_segmentation.tflite",
        "modules/face_landmark/face_landmark.tflite",
        "modules/face_detection/face_detection_full_range_sparse.tflite",
    )

    def __init__(self) -> None:
        if importlib.util.find_spec("mediapipe") is None:
            raise BackendMissingError(
                f"the photo backend 'mediapipe' is not installed (Python {sys.version_info.major}."
                f"{sys.version_info.minor}; wheels exist for 3.9 to 3.12): {INSTALL_MEDIAPIPE}"
            )
        try:
            with quiet():
                import mediapipe

                self.solutions = mediapipe.solutions
                self.solutions.pose, self.solutions.face_mesh, self.solutions.selfie_segmentation  # noqa: B018
        except Exception as error:  # ImportError, or protobuf's TypeError and AttributeError
            raise BackendMissingError(
                f"mediapipe is installed but does not start ({type(error).__name__}: {error}); its protobuf must be "
                f"older than 7: {INSTALL_MEDIAPIPE}"
            ) from error
        root = Path(mediapipe.__file__).parent
        self.info = {
            "backend": self.name,
            "version": mediapipe.__version__,
            "weights": {Path(m).name: digest(root / m) for m in self.models if (root / m).exists()},
        }

    def read(self, rgb: np.ndarray) -> Reading:
        rgb = np.ascontiguousarray(rgb)
        height, width = rgb.shape[:2]
        with quiet():
            with self.solutions.pose.Pose(static_image_mode=True, model_complexity=1) as pose:
                found = pose.process(rgb).pose_landmarks
            if found is None:
                raise NoPersonError("MediaPipe Pose detected nobody")
            with self.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as segment:
                person = segment.process(rgb).segmentation_mask
        joints = np.array([(p.x * width, p.y * height, p.visibility) for p in found.landmark], np.float32)
        keypoints = to_coco18(joints, BLAZEPOSE)
        face = self._face(rgb, keypoints)
        return Reading(keypoints, person.astype(np.float32), face, self.info, self._faces(rgb, face))

    def _faces(self, rgb: np.ndarray, face: np.ndarray | None) -> int:
        """How many faces are at least half as tall as the largest: the pose network itself sees one person only."""
        with quiet(), self.solutions.face_detection.FaceDetection(0.6, model_selection=1) as detect:
            found = detect.process(rgb).detections or []
        tall = [f.location_data.relative_bounding_box.height for f in found]
        count = sum(h >= 0.5 * max(tall) for h in tall)
        return max(count, int(face is not None))

    def _face(self, rgb: np.ndarray, keypoints: np.ndarray) -> np.ndarray | None:
        """The face's outline, looked for in a square around the nose (FaceMesh misses faces that are small)."""
        nose, *ends = (keypoints[COCO18.index(n), :2] for n in ("nose", "left ear", "right ear", "neck"))
        half = 2.2 * max(float(np.linalg.norm(ends[0] - ends[1])), 0.5 * float(np.linalg.norm(ends[2] - nose)), 4.0)
        x0, y0 = np.maximum(np.floor(nose - half).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(nose + half).astype(int), (rgb.shape[1], rgb.shape[0]))
        if x1 - x0 < 8 or y1 - y0 < 8:
            return None
        with quiet(), self.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1) as mesh:
            found = mesh.process(np.ascontiguousarray(rgb[y0:y1, x0:x1])).multi_face_landmarks
        if not found:
            return None
        points = found[0].landmark
        scale = np.array((x1 - x0, y1 - y0), np.float32)
        return np.array([(points[i].x, points[i].y) for i in FACE_OVAL], np.float32) * scale + (x0, y0)


class Torchvision:
    """Keypoint R-CNN and DeepLab v3 with torchvision's COCO weights, which it downloads at first use (240 MB).

    Source: He et al. 2017; Chen et al. 2017; torchvision's model zoo.
    Args: `pose_net`, `mask_net`: networks given by the caller instead of the downloaded ones.
    """

    name = "torchvision"

    def __init__(self, pose_net=None, mask_net=None) -> None:
        from torchvision.models import detection, segmentation

        pose_weights = detection.KeypointRCNN_ResNet50_FPN_Weights.COCO_V1
        mask_weights = segmentation.DeepLabV3_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1
        self.info = {"backend": self.name, "version": importlib.import_module("torchvision").__version__, "weights": {}}
        try:
            if pose_net is None:
                pose_net = detection.keypointrcnn_resnet50_fpn(weights=pose_weights)
                self._note(pose_weights)
            if mask_net is None:
                mask_net = segmentation.deeplabv3_resnet50(weights=mask_weights)
                self._note(mask_weights)
        except (OSError, RuntimeError) as error:  # URLError is an OSError; a cut download is a RuntimeError
            raise BackendMissingError(
                f"the photo backend 'torchvision' could not fetch its weights ({error}); wanted a network, or "
                f"{pose_weights.url} and {mask_weights.url} in torch's hub cache"
            ) from error
        self.pose_net, self.mask_net = pose_net.eval(), mask_net.eval()
        self.person_class = mask_weights.meta["categories"].index("person")
        self.mask_transform = mask_weights.transforms()

    def _note(self, weights) -> None:
        import torch

        path = Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]
        self.info["weights"][path.name] = digest(path) if path.exists() else "in memory"

    def read(self, rgb: np.ndarray) -> Reading:
        import torch
        import torch.nn.functional as F

        picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)  # (3, H, W) uint8
        with torch.inference_mode():
            found = self.pose_net([picture.float() / 255])[0]
            if len(found["scores"]) == 0 or float(found["scores"].max()) < 0.7:
                raise NoPersonError("Keypoint R-CNN detected nobody with a score of 0.7 or more")
            boxes = found["boxes"]
            area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            sure = area * (found["scores"] >= 0.7)
            best = int(sure.argmax())  # the nearest person, not the surest
            people = int((sure >= 0.3 * sure.max()).sum())
            logits = self.mask_net(self.mask_transform(picture)[None])["out"]  # (1, 21, h, w)
            probability = logits.softmax(1)[:, self.person_class, None]  # (1, 1, h, w)
            person = F.interpolate(probability, rgb.shape[:2], mode="bilinear", align_corners=False)[0, 0]
        xy = found["keypoints"][best][:, :2]
        confidence = torch.sigmoid(found["keypoints_scores"][best])[:, None]  # heat-map logits -> [0, 1]
        keypoints = to_coco18(torch.cat([xy, confidence], 1).numpy(), COCO17)
        return Reading(keypoints, person.numpy().astype(np.float32), None, self.info, people)


BACKENDS: dict[str, type] = {"mediapipe": MediaPipe, "torchvision": Torchvision}
_started: dict[str, Backend] = {}


def get_backend(name: str = "auto") -> Backend:
    """The backend of that name, started once a process; `auto` takes the first that starts.

    Raises: ValueError for an unknown name; BackendMissingError saying how to install what is missing.
    """
    if name != "auto" and name not in BACKENDS:
        raise ValueError(f"unknown photo backend {name!r}; known: auto, {', '.join(BACKENDS)}")
    complaints = []
    for candidate in BACKENDS if name == "auto" else (name,):
        try:
            if candidate not in _started:
                _started[candidate] = BACKENDS[candidate]()
            return _started[candidate]
        except BackendMissingError as error:
            complaints.append(str(error))
    raise BackendMissingError("; ".join(complaints))
