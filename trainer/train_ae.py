"""Train an autoencoder: ``accelerate launch trainer/train_ae.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("ae")
