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


# Lesson -> the buttons of the explorer of the try-on networks, the one first that changes how it starts.
TRYON = {
    "05_channel_attention": ("As trained", "Switch off"),
    "06_self_attention": ("Switch off", "As trained"),
}


def the_attention_explorer_answers(opened, first: str, then: str) -> None:
    """A click on the body, an arrow key and both buttons of the explorer change its pictures."""
    body = opened.locator("img.studio-body").first
    body.scroll_into_view_if_needed()
    for name, act in (
        ("answer", lambda: body.click(position={"x": 60, "y": 200})),
        ("answer", lambda: body.press("ArrowUp")),
        ("swipe", lambda: opened.get_by_role("button", name=first).first.click()),
        ("swipe", lambda: opened.get_by_role("button", name=then).first.click()),
    ):
        before = opened.locator(f"img.studio-{name}").first.get_attribute("src")
        act()
        opened.wait_for_function(
            "([name, before]) => document.querySelector('img.studio-' + name).src !== before", arg=[name, before]
        )


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
        if notebook in TRYON:
            the_attention_explorer_answers(opened, *TRYON[notebook])
        assert opened.complaints == []
