"""Train a GAN of linear layers: ``accelerate launch trainer/train_gan.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("gan")
