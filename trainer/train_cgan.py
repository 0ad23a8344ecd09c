"""Train a conditional GAN: ``accelerate launch trainer/train_cgan.py --data mnist --out runs/digits --no-flip``."""

from trainer.families.cgan import ConditionalGAN
from trainer.loop import main

if __name__ == "__main__":
    main(ConditionalGAN)
