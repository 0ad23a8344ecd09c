"""Train a convolutional autoencoder: ``accelerate launch trainer/train_convae.py --data cats.npy --out runs/cats``."""

from trainer.families.convae import ConvAE
from trainer.loop import main

if __name__ == "__main__":
    main(ConvAE)
