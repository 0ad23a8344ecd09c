"""Train pix2pix: ``accelerate launch trainer/train_pix2pix.py --data animals --out runs/animals``."""

from trainer.entry import main

if __name__ == "__main__":
    main("pix2pix")
