"""Train an enlarging network: ``accelerate launch trainer/train_srgan.py --data photos/ --out runs/larger``."""

from trainer.entry import main

if __name__ == "__main__":
    main("srgan")
