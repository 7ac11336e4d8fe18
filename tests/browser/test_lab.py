"""The lessons' widgets in JupyterLab itself, in a headless browser, worked by the keyboard."""

import os
import shutil

import pytest
from lab import ROOT, lab, missing, page, picture_of, run_all, use

REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=str(REASON))

# Notebook -> its widget's controls, and the key, or the number of the option, that changes each.
WIDGETS = {
    "01_gan_toy": {"frame": "ArrowRight", "game": 1},
    "03_hard_attention": {"scene": "ArrowRight", "glimpses": "ArrowLeft"},
    "04_soft_attention": {"kernel": "ArrowLeft", "scene": "ArrowRight"},
    "05_channel_attention": {"example": "ArrowRight", "stage": 1},
    "06_self_attention": {"head": 1, "row": "ArrowRight"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    for name in WIDGETS:
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", folder)
    with lab(folder) as address:
        yield address


@pytest.mark.parametrize("notebook", WIDGETS)
def test_a_lesson_runs_and_its_widget_answers_the_keyboard(server, notebook):
    with page(os.environ.get("MAVTON_SHOTS"), f"lab_{notebook}") as opened:
        run_all(opened, server, f"{notebook}.ipynb")
        assert opened.locator(".jp-RenderedText[data-mime-type*=stderr]:has-text('Traceback')").count() == 0
        opened.locator("img.explorer-image").first.scroll_into_view_if_needed()
        for control, key in WIDGETS[notebook].items():
            assert use(opened, control, key), f"{notebook}: no new picture when {control} was moved"
        assert picture_of(opened).startswith(("data:image/png", "blob:"))
        assert opened.complaints == []
