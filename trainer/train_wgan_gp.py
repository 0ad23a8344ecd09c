"""Train a WGAN-GP: ``accelerate launch trainer/train_wgan_gp.py --data cats.npy --out runs/cats``."""

from trainer.families.wgan_gp import WGANGP
from trainer.loop import main

if __name__ == "__main__":
    main(WGANGP)
