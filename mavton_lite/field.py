"""The field of virtual try-on: every system that the thesis's chapter 1 names, and some that came after it.

A row says what was read and where. `unconfirmed` says what of it could not be confirmed: the thesis's list of
references is lost, so a work is known by its name, its authors or a description, and was looked up by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

# How the garment gets its shape: key -> (English, Chinese).
WARPS = {
    "mesh": ("a 3-D garment on a 3-D body", "三维服装与三维人体"),
    "surface": ("carried by the body's shape", "由人体形状"),
    "spline": ("a smooth spline (TPS)", "薄板样条"),
    "flow": ("a displacement per pixel", "逐像素位移"),
    "none": ("no warp: it is painted", "直接生成"),
}
# What the system is shown: key -> (English, Chinese).
INPUTS = {
    "body": ("a measured body", "人体数据"),
    "shop": ("a photograph, a shop's picture", "人物与店内服装"),
    "person": ("photographs of two people", "两个人物"),
    "pose": ("and a pose or a video", "姿态或视频"),
}


@dataclass(frozen=True)
class System:
    """One try-on system: when, from what, how it bends and composes the garment, and what it takes to run it."""

    name: str
    chinese: str  # the thesis's words for it, or for what it does
    year: int | None
    goes_in: str
    shown: str  # key of INPUTS
    warps: str
    warp: str  # key of WARPS
    composes: str
    needs: str
    paper: str
    read_at: str
    unconfirmed: str = ""
    runs: str = ""  # the experiment that runs it in this project
    in_thesis: bool = True  # False: it came after the systems of chapter 1, or is the thesis's own

    @property
    def confirmed(self) -> bool:
        """Whether everything in the row was read in the paper or in its code."""
        return not self.unconfirmed


_BODY = (
    System("virtual fitting room", "虚拟试衣间", 2002, "body measurements, sewing patterns", "body",
           "patterns sewn around the body, cloth simulated", "mesh", "the dressed body is drawn in a browser",
           "sewing patterns, fabric parameters", "Protopsaltou et al., an Internet based virtual fitting room",
           "the paper (spotidoc.com/doc/90213)", "the year"),
    System("made-to-measure store", "线上服装商店", 2003, "body measurements, a 3-D garment", "body",
           "the garment is resized with the body, then simulated", "mesh", "a moving mannequin in a browser",
           "garment templates", "Cordier, Seo, Magnenat-Thalmann, IEEE CG&A 23 (1)",
           "the paper (fdocuments.us, vdocuments.site); its year in a list of references"),
    System("feature-point matching", "特征点匹配", 2009, "a garment mesh, a body mesh", "body",
           "one transformation from feature points matched by curvature", "mesh", "the garment mesh is put on the body",
           "3-D models of both", "Li, Jin, Barsky, Liu, 3D clothing fitting by geometric feature matching",
           "the paper (paperzz.com/doc/8479951)",
           "that this is the work meant (the thesis speaks of Bézier patches, this paper of cubic ones); the year"),
    System("CAD with hybrid pop-up", "计算机辅助设计", 2012, "sewing patterns, a body mesh", "body",
           "cross-parameterisation, then geometry and simulation in one", "mesh", "the dressed body is drawn",
           "sewing patterns", "Meng, Mok, Jin, Computer-Aided Design 44", "the paper (fdocuments.in, slideblast.com)"),
    System("DRAPE", "DRAPE", 2012, "shape and pose of a body model", "body",
           "learnt from simulations; shape and pose factored", "mesh", "the dressed body is drawn",
           "a 3-D garment and its simulations", "Guan et al., ACM Transactions on Graphics 31 (4)",
           "the paper (docslib.org/doc/257962), the authors' page; its year in lists of references"),
    System("single-shot depth", "单镜头深度图像", 2014, "one depth image, photographs of garments", "body",
           "the garment's photograph is transformed to the body's outline", "surface", "laid over the live picture",
           "a depth camera, garments worn by people of many shapes", "Sekine et al., 3-D Body Scanning Technologies",
           "the paper (docplayer.net/21116123); its year in a list of references"),
    System("Kinect fitting", "动态捕捉", None, "a Kinect's live picture", "body", "not known", "mesh", "not known",
           "a depth camera", "Kuang Ying 况鹰", "the thesis", "all but the thesis's one sentence"),
    System("CAPE", "Mesh-VAE-GAN", 2020, "shape and pose of SMPL, a kind of clothing", "body",
           "offsets of SMPL's vertices, drawn by a Mesh-VAE-GAN", "mesh", "the dressed body is drawn",
           "3-D scans to learn from", "Ma et al., CVPR", "the abstract, the authors' code (QianliM/CAPE)"),
    System("M3D-VTON", "多姿态图像虚拟试衣", 2021, "a photograph, a shop's picture", "shop",
           "an adaptive affine map, then TPS", "spline", "fused in 2-D, then lifted by two depth maps",
           "parsing, key points, depth to learn from", "Zhao et al., ICCV", "the abstract; the thesis (affine, TPS)"),
)  # fmt: skip

_PICTURES = (
    System("VITON", "VITON", 2018, "a photograph, a shop's picture", "shop",
           "shape contexts match two masks, then TPS", "spline", "refined by a mask over a coarse try-on",
           "parsing, key points", "Han et al., CVPR", "the paper, the authors' code (xthan/VITON)", runs="viton"),
    System("CP-VTON", "CP-VTON", 2018, "a photograph, a shop's picture", "shop",
           "a network (GMM) gives the TPS", "spline", "a mask mixes warped garment and painted person",
           "parsing, key points", "Wang et al., ECCV", "the paper, the authors' code (sergeywong/cp-vton)",
           runs="cp_vton"),
    System("CloTH-VTON", "Clo-VTON", 2020, "a photograph, a shop's picture", "shop",
           "a 3-D garment is made from the picture on a body model", "mesh", "fused with a painted person",
           "parsing, a fitted body model", "Minar, Ahn, ACCV", "the paper (vdocument.in)"),
    System("ACGPN", "ACGPN", 2020, "a photograph, a shop's picture", "shop",
           "TPS held even by second differences", "spline", "a predicted layout decides what is kept, what painted",
           "parsing, key points", "Yang et al., CVPR", "the abstract, the authors' code"),
    System("PF-AFN", "知识蒸馏", 2021, "a photograph, a shop's picture", "shop",
           "appearance flow, distilled from a model that has a parse", "flow", "a network joins person and garment",
           "no parsing once trained", "Ge et al., CVPR", "the paper (arXiv 2103.04559)"),
    System("OVNet", "Kedan 等人", 2021, "a photograph, several shop pictures", "shop",
           "several coordinated warps, each mending the last", "flow", "guided by a generated layout",
           "parsing, key points", "Kedan Li et al., CVPR", "the abstract (arXiv 2106.06593)",
           "of which kind its warps are"),
    System("VITON-HD", "ALIAS 生成器", 2021, "a photograph, a shop's picture", "shop",
           "GMM and TPS", "spline", "ALIAS: what the warp misses is normalised apart", "parsing, key points",
           "Choi et al., CVPR", "the abstract, the authors' code (shadow2496/VITON-HD)"),
    System("MG-VTON", "MG-VTON", 2019, "a photograph, a shop's picture, a pose", "pose",
           "geometric matching (TPS) inside a Warp-GAN", "spline", "composition masks in a refinement",
           "parsing, key points", "Dong et al., ICCV", "the abstract, a summary of the paper"),
    System("FashionOn", "Fashion On", 2019, "a photograph, a shop's picture, a pose", "pose",
           "none: the parse is moved to the pose and coloured", "none", "salient regions are refined",
           "parsing, key points", "Hsieh et al., ACM Multimedia", "the abstract"),
    System("FW-GAN", "FW-GAN", 2019, "a photograph, a shop's picture, a pose video", "pose",
           "guided by optical flow between frames", "flow", "not known", "video to learn from",
           "Dong et al., ICCV", "its title; the thesis", "how it warps and composes"),
    System("M2E-TON", "M2E-Try On", 2019, "photographs of a model and a person", "person",
           "along DensePose's surface", "surface", "texture refined, then fitted to the person", "DensePose",
           "Wu et al., ACM Multimedia", "the abstract, a summary of the paper"),
    System("LGVTON", "LGVTON", 2020, "photographs of a model and a person", "person",
           "TPS from landmarks of body and garment", "spline", "a mask generator, then a synthesiser",
           "parsing, key points, garment landmarks", "Roy et al., arXiv (journal 2022)", "the abstract"),
    System("Liquid Warping GAN", "人体图像合成", 2019, "photographs of two people, or a pose", "person",
           "features flow along a recovered SMPL body", "surface", "a GAN decodes the warped features",
           "recovery of a body mesh", "Liu et al., ICCV", "the abstract, the authors' page"),
)  # fmt: skip

_LATER = (
    System("CP-VTON+", "", 2020, "a photograph, a shop's picture", "shop", "GMM sees the mask; an even grid", "spline",
           "a mask taught by the parse", "parsing, key points", "Minar et al., CVPR workshops",
           "the authors' code (minar09/cp-vton-plus)", runs="cp_vton_plus", in_thesis=False),
    System("MA-VTON", "MA-VTON", None, "a photograph, a shop's picture", "shop", "CP-VTON's GMM", "spline",
           "a mask from a U-Net with attention on its skips", "parsing, key points", "the thesis",
           "the thesis, chapters 1 to 3.2.1", "the year; section 3.3 and the chapters after it are lost",
           runs="ma_vton", in_thesis=False),
    System("ClothFlow", "", 2019, "a photograph, a shop's picture", "shop", "a dense flow, coarse to fine", "flow",
           "a network renders the warped garment", "parsing, key points", "Han et al., ICCV", "the abstract",
           in_thesis=False),
    System("Flow-Style-VTON", "", 2022, "a photograph, a shop's picture", "shop",
           "a global style vector gives the appearance flow", "flow", "a network joins both",
           "not known", "He et al., CVPR", "the abstract (arXiv 2204.01046)", "what it needs", in_thesis=False),
    System("TryOnDiffusion", "", 2023, "photographs of a model and a person", "person",
           "none: cross-attention between two U-Nets", "none", "diffusion, in one pass with the warp",
           "parsing, key points", "Zhu et al., CVPR", "the abstract, a summary", in_thesis=False),
    System("StableVITON", "", 2024, "a photograph, a shop's picture", "shop",
           "none: cross-attention finds the correspondence", "none", "a pre-trained latent diffusion model",
           "not known", "Kim et al., CVPR", "the abstract (arXiv 2312.01725)", "what it needs; the authors",
           in_thesis=False),
    System("IDM-VTON", "", 2024, "a photograph, a shop's picture", "shop",
           "none: garment features enter the attention layers", "none", "a pre-trained latent diffusion model",
           "DensePose, a mask, a caption", "Choi et al., arXiv 2403.05139", "the abstract, the authors' code",
           in_thesis=False),
    System("CatVTON", "", 2024, "a photograph, a shop's picture", "shop",
           "none: both pictures side by side in one U-Net", "none", "a pre-trained latent diffusion model",
           "a mask only", "Chong et al., arXiv 2407.15886", "the abstract", in_thesis=False),
)  # fmt: skip

SYSTEMS: tuple[System, ...] = (*_BODY, *_PICTURES, *_LATER)
# Named by the thesis as products, without anything about how they work.
PRODUCTS = ("Uniqlo's fitting room 优衣库", "Browzwear", "CLO 3D", "Tmall AR Door 天猫")


def field_table(systems: tuple[System, ...] = SYSTEMS) -> pd.DataFrame:
    """One row a system, by year within the thesis's and the later ones; the last column says what is not confirmed."""
    rows = sorted(systems, key=lambda s: (not s.in_thesis, s.year or 9999, s.name))
    return pd.DataFrame(
        {"system": [s.name for s in rows], "in the thesis": [s.chinese if s.in_thesis else "" for s in rows],
         "year": [str(s.year or "?") for s in rows], "goes in": [s.goes_in for s in rows],
         "how it warps": [s.warps for s in rows], "how it composes": [s.composes for s in rows],
         "what it needs": [s.needs for s in rows], "runs here": [s.runs for s in rows],
         "paper": [s.paper for s in rows], "read in": [s.read_at for s in rows],
         "confirmed": ["yes" if s.confirmed else f"not: {s.unconfirmed}" for s in rows]}
    )  # fmt: skip
