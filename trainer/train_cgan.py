"""Train a conditional GAN: ``accelerate launch trainer/train_cgan.py --data mnist --out runs/digits --no-flip``."""

from trainer.entry import main

if __name__ == "__main__":
    main("cgan")
