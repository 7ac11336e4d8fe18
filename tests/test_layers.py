"""The layer table says what the networks are."""

import pytest

from mavton_lite.config import PAPER, SMOKE
from mavton_lite.models.build import build_discriminator, build_gmm, build_tom
from mavton_lite.models.layers import layer_table
from mavton_lite.models.summary import count_parameters


@pytest.mark.parametrize(("profile", "gate"), [(PAPER, "cbam"), (SMOKE, "se"), (SMOKE, "none")])
def test_every_parameter_is_in_one_row(profile, gate):
    sums = layer_table(profile, gate).groupby("network", sort=False)["parameters"].sum()
    networks = build_gmm(profile), build_tom(profile, gate), build_discriminator(profile)
    assert sums.tolist() == [count_parameters(n) for n in networks]


def test_rows_of_the_paper():
    table = layer_table(PAPER).set_index(["network", "layer"])
    maps = table[table["what"].str.endswith("on the skip")]
    assert maps["what"].tolist() == ["channel attention on the skip", "spatial attention on the skip"] * 5
    assert maps["output"].tolist()[:3] == ["64 × 1 × 1", "1 × 128 × 96", "128 × 1 × 1"]
    assert maps["parameters"].sum() == 76_778
    patches = table.loc["PatchGAN"]
    assert patches.iloc[-1].tolist() == ["conv 4 × 4", "1 × 30 × 22", 512 * 16 + 1]
    assert table.loc["GMM"].iloc[-1]["output"] == "50" and table.loc["GMM"].iloc[-1]["what"] == "linear"
    with pytest.raises(ValueError, match="nonsense"):
        layer_table(SMOKE, "nonsense")
