"""Train a WGAN: ``accelerate launch trainer/train_wgan.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("wgan")
