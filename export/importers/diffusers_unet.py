"""Unconditional diffusion models of diffusers: a UNet2DModel with its config.json, and the config of a scheduler.

What sampling takes is the noise schedule and what is predicted; the rest of a scheduler's config is about samplers, of
which the viewer has its own.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.given import Given
from export.importers._denoising import checked, denoiser
from export.importers._fitting import fitted
from export.importers.base import Imported
from export.weights import Weights
from trainer.parts.noise_schedule import Prediction, ScheduleName, alpha_bars

NAME: Final = "diffusers_unet"
READS: Final = (
    "unconditional diffusion models of diffusers (UNet2DModel and the config of its scheduler), a folder or a file"
)
NEEDS: Final = "diffusers"
USES: Final = ("image_size", "prediction", "noise_schedule", "noise_steps")
KEYS: Final = ("conv_in.weight", "time_embedding.linear_1.weight", "conv_norm_out.weight", "conv_out.weight")
PREDICTIONS: Final[Mapping[str, Prediction]] = {"epsilon": "epsilon", "sample": "x0", "v_prediction": "v"}
SCHEDULE: Final = (
    "num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "rescale_betas_zero_snr"
)  # fmt: skip
# Schedulers on other noise than √ᾱ x + √(1-ᾱ) ε of whole steps t
OTHERS: Final = re.compile(r"ScoreSde|Karras|EDM|Flow|VQ|CMStochastic|Consistency|Cosine|Amused|IPNDM")
MOST: Final = {"levels": 10, "layers": 16, "channels": 1 << 14, "steps": 10_000, "side": 4096, "classes": 100_000}
FRACTIONS: Final = ("mid_block_scale_factor",)  # options with a whole number for a default
# Parts of a pipeline that an image or a text goes through besides the U-Net
BESIDE: Final = ("vae", "vqvae", "movq", "text_encoder", "bert", "image_encoder", "prior", "low_res_scheduler", "mel")
OLD_NAMES: Final = (("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0"))


def claims(weights: Weights) -> bool:
    """Whether the config names a class of diffusers, or the names of tensors are those of its U-Nets."""
    named = weights.config.get("_class_name")
    if all(key in weights.state for key in KEYS):
        return True
    wrapped = named == "UNet2DModel" and any(key.endswith(f".{KEYS[0]}") for key in weights.state)
    return isinstance(named, str) and "_diffusers_version" in weights.config and not wrapped


def read(weights: Weights) -> Imported:
    """The denoiser. Raises ``ValueError`` for pipelines that make images of latents or of words, too."""
    config, given = weights.config, weights.given
    if not config:
        raise ValueError("config.json, which says how the U-Net is built, is not beside the file, or no dictionary")
    _check_alone(weights)
    options = _options(config)
    size = _size(options, given)
    channels, outputs = options["in_channels"], options["out_channels"]
    if channels not in (1, 3):
        raise ValueError(f"in_channels is {channels}, expected 1 or 3: it works on latents, which need their VAE")
    if outputs not in (channels, 2 * channels):
        raise ValueError(f"out_channels is {outputs}, expected {channels}, or twice as many with learnt variances")
    classes = options["num_class_embeds"] or 0
    from diffusers import UNet2DModel

    state = {_new_name(key): value for key, value in weights.state.items()}
    maker = cast(Callable[..., nn.Module], UNet2DModel)
    net = fitted(lambda: maker(**options), state, "the UNet2DModel of its config.json")
    alpha_bar, kind, prediction, remarks = _noise(_scheduler(weights), given)
    if outputs != channels:
        remarks += ("learnt variances are left out: samplers here know the noise of each step",)
    if classes:
        remarks += ("without a class it is told the mean of all classes, which it was not trained with",)
    return denoiser(
        Bare(net, channels, classes), NAME, channels=channels, size=size, alpha_bar=alpha_bar, prediction=prediction,
        kind=kind, classes=classes, remarks=remarks,
    )  # fmt: skip


class Bare(nn.Module):
    """A UNet2DModel from tensors to a tensor. The label after the last class is the mean of all embeddings."""

    def __init__(self, net: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.net, self.channels = net, channels
        if classes:
            embedding = cast(nn.Embedding, net.class_embedding)
            table = embedding.weight.detach()
            net.class_embedding = nn.Embedding.from_pretrained(torch.cat((table, table.mean(0, keepdim=True))))
        self.eval()

    def forward(self, noisy: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        given = {} if label is None else {"class_labels": label}
        return self.net(noisy, t, return_dict=False, **given)[0][:, : self.channels]


def _check_alone(weights: Weights) -> None:
    """Raise ``ValueError`` where the network is none of images alone."""
    named = weights.config.get("_class_name", "UNet2DModel")
    if named != "UNet2DModel":
        conditional = isinstance(named, str) and "Condition" in named
        why = ": it is told words or the like, which the viewer has not" if conditional else ""
        raise ValueError(f"it is a {str(named)[:60]}, expected a UNet2DModel{why}")
    index = weights.beside("../model_index.json")
    beside = [name for name in BESIDE if isinstance(index.get(name), list) and index[name][0] is not None]
    if beside:
        raise ValueError(
            f"its pipeline has {', '.join(beside)} besides the U-Net, which would not make images by itself: "
            "expected a pipeline of a U-Net and a scheduler, such as DDPMPipeline"
        )


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for UNet2DModel, checked: what a file says must not build more than any network has."""
    from diffusers import UNet2DModel

    defaults = {key: item.default for key, item in inspect.signature(UNet2DModel.__init__).parameters.items()}
    del defaults["self"]
    own = {key: value for key, value in config.items() if not key.startswith("_")}
    if odd := next((key for key, value in own.items() if key not in defaults and value not in (None, False)), None):
        raise ValueError(f"config.json has {str(odd)[:60]!r}, which this version of diffusers does not know")
    options = {**defaults, **{key: value for key, value in own.items() if key in defaults}}
    for key, value in options.items():
        good, expected = _fits(key, value, defaults.get(key))
        if not good:
            raise ValueError(f"config.json: {key} is {repr(value)[:60]}, expected {expected}")
    levels = len(options["block_out_channels"])
    for key in ("down_block_types", "up_block_types"):
        if len(options[key]) != levels:
            raise ValueError(f"config.json: {key} names {len(options[key])} blocks, block_out_channels {levels}")
    if options["class_embed_type"] is not None:
        raise ValueError(f"config.json: class_embed_type is {options['class_embed_type'][:60]!r}, expected none")
    return options


def _fits(key: str, value: Any, default: Any) -> tuple[bool, str]:
    """Whether an option is of the type of its default, and within bounds; and what was expected."""

    def whole(item: Any, most: int, least: int = 1) -> bool:
        return isinstance(item, int) and not isinstance(item, bool) and least <= item <= most

    if key == "sample_size":
        pair = isinstance(value, list | tuple) and len(value) == 2 and all(whole(side, MOST["side"]) for side in value)
        return value is None or whole(value, MOST["side"]) or pair, f"pixels, at most {MOST['side']}"
    if key in ("down_block_types", "up_block_types"):
        names = isinstance(value, list | tuple) and 1 <= len(value) <= MOST["levels"]
        return names and all(isinstance(name, str) for name in value), f"1 to {MOST['levels']} names of blocks"
    if key == "block_out_channels":
        sizes = isinstance(value, list | tuple) and 1 <= len(value) <= MOST["levels"]
        good = sizes and all(whole(item, MOST["channels"]) for item in value)
        return good, f"1 to {MOST['levels']} numbers of channels"
    if key == "layers_per_block":
        return whole(value, MOST["layers"]), f"1 to {MOST['layers']}"
    if key in ("num_class_embeds", "num_train_timesteps"):
        return value is None or whole(value, MOST["classes"]), f"none, or 1 to {MOST['classes']}"
    if isinstance(default, bool):
        return isinstance(value, bool), "true or false"
    if isinstance(default, int | float):
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST["channels"]
        fits = number and (isinstance(default, float) or key in FRACTIONS or isinstance(value, int))
        return fits or (value is None and key.endswith("head_dim")), "a number"
    if isinstance(default, str):
        return isinstance(value, str) or value is None, "a name"
    return value is None or isinstance(value, str) or whole(value, MOST["channels"]), "nothing, a name or a number"


def _size(options: Mapping[str, Any], given: Given) -> tuple[int, int]:
    size = given.image_size or options["sample_size"]
    if size is None:
        raise ValueError("config.json says no sample_size: expected --image-size, the pixels it was trained with")
    height, width = (size, size) if isinstance(size, int) else size
    multiple = 2 ** (len(options["block_out_channels"]) - 1)
    if height % multiple or width % multiple:
        raise ValueError(f"images of {width}x{height} px: expected multiples of {multiple}, it halves that often")
    return height, width


def _scheduler(weights: Weights) -> dict[str, Any]:
    """The config of the scheduler, in the pipeline's folder or beside the U-Net; empty where there is none."""
    places = ("../scheduler/scheduler_config.json", "scheduler/scheduler_config.json", "scheduler_config.json")
    return next((found for place in places if (found := weights.beside(place))), {})


def _noise(config: Mapping[str, Any], given: Given) -> tuple[NDArray[np.float64], str, Prediction, tuple[str, ...]]:
    """ᾱ at each step, its name, what is predicted, and what was assumed."""
    asked = cast(Prediction, given.prediction) if given.prediction else None
    if not config or given.noise_schedule or given.noise_steps:
        steps, kind = given.noise_steps or 1000, given.noise_schedule or "linear"
        said = f"no scheduler's config is beside it: a {kind} schedule of {steps} steps that predicts "
        said += f"{asked or 'epsilon'} is assumed (--noise-schedule, --noise-steps, --prediction)"
        alpha_bar = checked(alpha_bars(cast(ScheduleName, kind), steps), f"the {kind} schedule")
        sure = config or (given.noise_schedule and given.noise_steps and given.prediction)
        return alpha_bar, kind, asked or _prediction(config), () if sure else (said,)
    name = config.get("_class_name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9]{1,60}Scheduler", name) or OTHERS.search(name):
        raise ValueError(
            f"its scheduler is {str(name)[:60]}, whose noise is not that of DDPM and its kin: expected one such as "
            "DDPMScheduler, or --noise-schedule, --noise-steps and --prediction"
        )
    import diffusers

    maker = getattr(diffusers, name, None)
    if not isinstance(maker, type):
        raise ValueError(f"its scheduler, {name}, is unknown to diffusers {diffusers.__version__}")
    known = {key: item.default for key, item in inspect.signature(maker).parameters.items()}
    options: dict[str, Any] = {key: config.get(key, known[key]) for key in SCHEDULE if key in known}
    _check_schedule(options)
    try:
        made: Any = diffusers.DDPMScheduler(**options)
        bars = np.asarray(made.alphas_cumprod, dtype=np.float64)
    except (RuntimeError, ValueError, TypeError, ArithmeticError) as error:  # unknown names of schedules
        raise ValueError(f"the config of its {name}: {' '.join(str(error).split())[:200]}") from None
    remarks = []
    if bars[-1] <= 0:
        remarks.append("the schedule ends in noise alone; the viewer's ends just before")
    if config.get("clip_sample") is False and not config.get("thresholding"):
        remarks.append("its scheduler does not clip images while it samples, the viewer does, to -1..1")
    kind = str(options.get("beta_schedule", "linear")) if options.get("trained_betas") is None else "given"
    return checked(bars, f"the schedule of its {name}"), kind, asked or _prediction(config), tuple(remarks)


def _prediction(config: Mapping[str, Any]) -> Prediction:
    found = config.get("prediction_type", "epsilon")
    if not isinstance(found, str) or found not in PREDICTIONS:
        raise ValueError(f"prediction_type is {str(found)[:60]!r}, expected one of {', '.join(PREDICTIONS)}")
    return PREDICTIONS[found]


def _check_schedule(options: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` for what is no schedule, before anything is built of it."""

    def number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1

    steps, betas = options.get("num_train_timesteps", 1000), options.get("trained_betas")
    if not (isinstance(steps, int) and not isinstance(steps, bool) and 2 <= steps <= MOST["steps"]):
        raise ValueError(f"num_train_timesteps is {repr(steps)[:60]}, expected 2 to {MOST['steps']}")
    for key in ("beta_start", "beta_end"):
        if key in options and not number(options[key]):
            raise ValueError(f"{key} is {repr(options[key])[:60]}, expected a number between 0 and 1")
    if betas is not None:
        listed = isinstance(betas, list | tuple) and 2 <= len(betas) <= MOST["steps"]
        if not listed or not all(map(number, betas)):
            raise ValueError(
                f"trained_betas is {repr(betas)[:60]}, expected 2 to {MOST['steps']} numbers between 0 and 1"
            )


def _new_name(key: str) -> str:
    """The name of a tensor as diffusers has it since 0.14: attention had other ones before."""
    for old, new in OLD_NAMES:
        key = re.sub(rf"(attentions\.\d+)\.{old}\.", rf"\1.{new}.", key)
    return key
