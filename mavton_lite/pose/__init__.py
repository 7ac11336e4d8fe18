"""Bottom-up pose estimation: maps of all joints and limbs of everybody, then skeletons out of them."""

from mavton_lite.pose.decode import decode
from mavton_lite.pose.maps import LIMBS, SIGMA_PX, STRIDE, WIDTH_PX, affinity_fields, confidence_maps, true_maps
from mavton_lite.pose.score import Found, joints_found

__all__ = [
    "LIMBS",
    "SIGMA_PX",
    "STRIDE",
    "WIDTH_PX",
    "Found",
    "affinity_fields",
    "confidence_maps",
    "decode",
    "joints_found",
    "true_maps",
]
