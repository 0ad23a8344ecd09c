"""Train the high-pass pair: ``accelerate launch trainer/train_hpf.py --data cats.npy --low runs/cats --out runs/x``."""

from trainer.entry import main

if __name__ == "__main__":
    main("hpf")
