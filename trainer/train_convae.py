"""Train a convolutional autoencoder: ``accelerate launch trainer/train_convae.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("convae")
