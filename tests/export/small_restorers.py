"""Every architecture of spandrel, with random weights, by name: small ones, where the library knows those."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import torch
from torch import Tensor, nn

_SWIN: Final = {"img_size": 16, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2), "mlp_ratio": 2.0}
SMALL: Final[Mapping[str, Mapping[str, Any]]] = {
    "ATD.ATD": {**_SWIN, "window_size": 8, "category_size": 16, "num_tokens": 8, "upscale": 2,
                "upsampler": "pixelshuffledirect"},
    "AuraSR.AuraSR": {"dim": 8, "image_size": 256, "input_image_size": 64, "mid_attn_depth": 1,
                      "attn_depths": (1, 1, 1, 1, 1),
                      "style_network": {"dim_in": 8, "dim_out": 8, "depth": 1}, "resnet_block_groups": 2,
                      "self_attn_dim_head": 4, "self_attn_heads": 2},
    "CRAFT.CRAFT": {"embed_dim": 32, "depths": [2], "num_heads": [2], "upscale": 2},
    "Compact.Compact": {"num_feat": 8, "num_conv": 4, "upscale": 2},
    "DAT.DAT": {"img_size": 16, "embed_dim": 32, "split_size": [2, 4], "depth": [2], "num_heads": [2],
                "expansion_factor": 2.0},
    "DCTLSA.DCTLSA": {"nf": 10, "upscale": 2},
    "DITN.DITN": {"dim": 12, "ITL_blocks": 1, "SAL_blocks": 1, "upscale": 2},
    "DRCT.DRCT": {"img_size": 64, "embed_dim": 12, "depths": (6,), "num_heads": (2,), "window_size": 16, "gc": 4,
                  "upscale": 2, "upsampler": "pixelshuffle"},
    "DRUNet.DRUNet": {"in_nc": 4, "out_nc": 3, "nc": [4, 8, 12, 16], "nb": 2},
    "DnCNN.DnCNN": {"in_nc": 3, "out_nc": 3, "nc": 8, "nb": 8},
    "ESRGAN.ESRGAN": {"num_filters": 8, "num_blocks": 2, "scale": 4},
    "FBCNN.FBCNN": {"nc": [8, 8, 16, 512], "nb": 2},
    "FDAT.FDAT": {"embed_dim": 16, "num_groups": 1, "depth_per_group": 2, "num_heads": 2, "mid_dim": 8, "scale": 2},
    "FFTformer.FFTformer": {"dim": 8, "num_blocks": [1, 1, 1], "num_refinement_blocks": 1},
    "GFPGAN.GFPGAN": {},
    "GRL.GRL": {"img_size": 16, "embed_dim": 12, "depths": [2], "num_heads_window": [2], "num_heads_stripe": [2],
                "stripe_size": [8, 8], "stripe_groups": [None, None], "upscale": 2, "upsampler": "pixelshuffle",
                "anchor_window_down_factor": 2},
    "HAT.HAT": {**_SWIN, "window_size": 16, "compress_ratio": 3, "squeeze_factor": 6, "num_feat": 8, "upscale": 2},
    "HVICIDNet.HVICIDNet": {"channels": [8, 8, 16, 32], "heads": [1, 2, 4, 8]},
    "IPT.IPT": {"patch_size": 48, "patch_dim": 3, "n_feats": 4, "num_heads": 12, "num_layers": 2, "num_queries": 1,
                "scale": [2]},
    "KBNet.KBNet_s": {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    "KBNet.KBNet_l": {"dim": 24, "num_blocks": [1, 1, 1, 1], "num_refinement_blocks": 1},
    "LaMa.LaMa": {"in_nc": 4},
    "MMRealSR.MMRealSR": {"num_in_ch": 3, "num_out_ch": 3, "num_feat": 8, "num_block": 2, "num_grow_ch": 4,
                          "num_feats": [8, 8, 16, 16], "num_blocks": [1, 1, 1, 1]},
    "MixDehazeNet.MixDehazeNet": {"embed_dims": [8, 16, 32, 16, 8]},
    "MoESR.MoESR": {"dim": 16, "n_blocks": 2, "n_block": 1, "scale": 2},
    "MoSR.MoSR": {"n_block": 2, "dim": 16, "upscale": 2},
    "NAFNet.NAFNet": {"width": 8, "middle_blk_num": 1, "enc_blk_nums": [1, 1], "dec_blk_nums": [1, 1]},
    "OmniSR.OmniSR": {"num_feat": 16, "up_scale": 2},
    "PLKSR.PLKSR": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    "PLKSR.RealPLKSR": {"dim": 16, "n_blocks": 2, "upscaling_factor": 2},
    "RCAN.RCAN": {"scale": 2, "n_resgroups": 2, "n_resblocks": 2, "n_feats": 16, "reduction": 4},
    "RGT.RGT": {"img_size": 64, "embed_dim": 32, "depth": [2], "num_heads": [2], "mlp_ratio": 2.0, "upscale": 2},
    "RealCUGAN.UpCunet2x": {},
    "RealCUGAN.UpCunet3x": {},
    "RealCUGAN.UpCunet4x": {},
    "RestoreFormer.RestoreFormer": {"n_embed": 16, "embed_dim": 16, "ch": 32, "z_channels": 16, "num_res_blocks": 1},
    "RetinexFormer.RetinexFormer": {"n_feat": 8, "stage": 1},
    "SAFMN.SAFMN": {"dim": 12, "n_blocks": 2, "upscaling_factor": 2},
    "SAFMNBCIE.SAFMNBCIE": {"dim": 12, "n_blocks": 1, "num_layers": 1},
    "SCUNet.SCUNet": {"config": [2, 2, 2, 2, 2, 2, 2], "dim": 64},
    "SPAN.SPAN": {"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2},
    "SeemoRe.SeemoRe": {"scale": 2, "num_experts": 3, "num_layers": 1, "embedding_dim": 12},
    "SwiftSRGAN.SwiftSRGAN": {"num_channels": 8, "num_blocks": 2, "upscale_factor": 2},
    "Swin2SR.Swin2SR": {**_SWIN, "window_size": 8, "upscale": 2, "upsampler": "pixelshuffledirect"},
    "SwinIR.SwinIR": {**_SWIN, "window_size": 8, "upscale": 2, "upsampler": "pixelshuffledirect"},
    "Uformer.Uformer": {"img_size": 128, "embed_dim": 16, "depths": [1] * 9},
}  # fmt: skip


def small(name: str, **other: Any) -> nn.Module:
    """A network of an architecture, such as ``SwinIR.SwinIR``; ``other``: arguments instead of the small ones."""
    package, _, kind = name.partition(".")
    torch.manual_seed(0)
    network: nn.Module = getattr(import_module(f"spandrel.architectures.{package}"), kind)(**{**SMALL[name], **other})
    return shaken(network).eval()


def shaken(network: nn.Module) -> nn.Module:
    """With weights and statistics that no layer has at first, so that none of them can be left out unnoticed."""
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if value.is_floating_point() and value.numel() > 1 and "mean" not in key and "index" not in key:
                value.mul_(1 + 0.1 * torch.rand(value.shape, generator=random))
    return network


def ways(state: Mapping[str, Tensor]) -> Mapping[str, Callable[[], Any]]:
    """The wrappers that programs put round weights, by name."""
    return {
        "bare": lambda: dict(state),
        "params": lambda: {"params": dict(state)},
        "params_ema": lambda: {"params_ema": dict(state), "params": {key: value + 1 for key, value in state.items()}},
        "state_dict": lambda: {"state_dict": dict(state), "epoch": 3, "optimizer": {"state": {0: {"step": 1}}}},
        "module": lambda: {f"module.{key}": value for key, value in state.items()},
        "generator": lambda: {"state_dict": {f"generator.{key}": value for key, value in state.items()}},
    }
