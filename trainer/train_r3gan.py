"""Train an R3GAN: ``accelerate launch trainer/train_r3gan.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("r3gan")
