"""Train a DCGAN: ``accelerate launch trainer/train_dcgan.py --data cats.npy --out runs/cats``."""

from trainer.families.dcgan import DCGAN
from trainer.loop import main

if __name__ == "__main__":
    main(DCGAN)
