"""Train a WGAN: ``accelerate launch trainer/train_wgan.py --data cats.npy --out runs/cats``."""

from trainer.families.wgan import WGAN
from trainer.loop import main

if __name__ == "__main__":
    main(WGAN)
