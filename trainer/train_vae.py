"""Train a variational autoencoder: ``accelerate launch trainer/train_vae.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("vae")
