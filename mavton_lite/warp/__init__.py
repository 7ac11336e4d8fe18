"""Moving a garment: correlation of features, thin-plate spline, resampling."""

from mavton_lite.warp.correlation import correlation, l2_normalise
from mavton_lite.warp.tps import TPSGrid, control_points, pixel_grid, resample

__all__ = ["TPSGrid", "control_points", "correlation", "l2_normalise", "pixel_grid", "resample"]
