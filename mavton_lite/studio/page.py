"""The studio's page: attention explorer and try-on studio, for notebook 14 and for `make studio`."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from mavton_lite.models.tryon import TryOnPipeline
from mavton_lite.studio.explorer_panel import ExplorerPanel
from mavton_lite.studio.fitting_panel import FittingPanel
from mavton_lite.studio.room import atelier_room
from mavton_lite.zoo import load_released, released

NETWORKS = {"MA-VTON": "ma_vton", "CP-VTON": "cp_vton"}


def networks() -> dict[str, TryOnPipeline]:
    """The released networks of the studio.   Raises: ValueError when none was released."""
    there = {name: load_released(model) for name, model in NETWORKS.items() if model in released()}
    if not there:
        raise ValueError(f"no released weights of {', '.join(NETWORKS.values())}; mavton doctor says how to get them")
    return there


def attention_explorer(given: Mapping[str, TryOnPipeline] | None = None, **how) -> ExplorerPanel:
    """The explorer on people and garments of the Atelier; the released networks when none are given.

    `how`: as `ExplorerPanel` takes it.
    """
    return ExplorerPanel(atelier_room(given or networks()), **how)


def tryon_studio(given: Mapping[str, TryOnPipeline] | None = None, backend: str = "auto") -> FittingPanel:
    """The studio, with the released networks when none are given; `backend` finds the person."""
    return FittingPanel(given or networks(), backend)


def studio() -> ipywidgets.Tab:
    """Both panels in one page, each behind a tab."""
    both = networks()
    panels = {
        "Try-on studio · 虚拟试衣间": tryon_studio(both),
        "Attention explorer · 注意力图": attention_explorer(both),
    }
    tab = ipywidgets.Tab(list(panels.values()))
    tab.add_class("studio-tabs")
    for k, title in enumerate(panels):
        tab.set_title(k, title)
    return tab
