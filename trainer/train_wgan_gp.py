"""Train a WGAN-GP: ``accelerate launch trainer/train_wgan_gp.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("wgan_gp")
