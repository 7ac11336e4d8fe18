"""The networks of a profile, by its settings."""

from __future__ import annotations

from mavton_lite.config import Profile
from mavton_lite.models.cpvton import TOM
from mavton_lite.models.gmm import GMM, PERSON_CHANNELS
from mavton_lite.models.mavton import MAUNet
from mavton_lite.models.parser import Parser
from mavton_lite.models.patchgan import PatchGAN
from mavton_lite.models.viton import EncoderDecoder, Refinement


def build_gmm(profile: Profile) -> GMM:
    """The geometric matching module at the profile's size."""
    return GMM(profile.gmm, profile.height, profile.width)


def build_tom(profile: Profile, gate: str = "none") -> TOM:
    """The try-on module: "none" is CP-VTON's, "cbam" the thesis's MA-UNet.   Raises: ValueError for an unknown gate."""
    return MAUNet(profile.tom) if gate == "cbam" else TOM(profile.tom, gate)


def build_discriminator(profile: Profile) -> PatchGAN:
    """Conditional discriminator: reads [person representation 22, warped cloth 3, picture 3] side by side."""
    settings = profile.discriminator
    return PatchGAN(PERSON_CHANNELS + 3 + 3, settings.width, settings.layers)


def build_coarse(profile: Profile) -> EncoderDecoder:
    """VITON's first stage: person and flat garment -> a coarse try-on and the garment's mask."""
    return EncoderDecoder(profile.viton)


def build_refinement(profile: Profile) -> Refinement:
    """VITON's last stage: warped garment and coarse try-on -> alpha."""
    return Refinement(profile.viton)


def build_parser(profile: Profile) -> Parser:
    """The network that labels pictures of the profile's size with LIP classes."""
    return Parser(profile.parser, profile.height, profile.width)
