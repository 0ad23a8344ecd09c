"""Train an Alpha-GAN: ``accelerate launch trainer/train_alphagan.py --data faces.npy --out runs/faces``."""

from trainer.families.alphagan import AlphaGAN
from trainer.loop import main

if __name__ == "__main__":
    main(AlphaGAN)
