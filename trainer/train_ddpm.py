"""Train a diffusion model: ``accelerate launch trainer/train_ddpm.py --data cats.npy --out runs/cats``."""

from trainer.entry import main

if __name__ == "__main__":
    main("ddpm")
