"""Train a DCGAN: ``accelerate launch trainer/train_dcgan.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("dcgan")
