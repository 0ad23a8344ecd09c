"""Train pix2pix: ``accelerate launch trainer/train_pix2pix.py --data animals --out runs/animals``."""

from trainer.families.pix2pix import Pix2Pix
from trainer.loop import main

if __name__ == "__main__":
    main(Pix2Pix)
