"""Train a VAE-GAN: ``accelerate launch trainer/train_vaegan.py --data faces.npy --out runs/faces``."""

from trainer.entry import main

if __name__ == "__main__":
    main("vaegan")
