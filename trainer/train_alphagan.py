"""Train an Alpha-GAN: ``accelerate launch trainer/train_alphagan.py --data faces.npy --out runs/faces``."""

from trainer.entry import main

if __name__ == "__main__":
    main("alphagan")
