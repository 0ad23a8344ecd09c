"""Train a classifier: ``accelerate launch trainer/train_classifier.py --data mnist/ --out runs/digits``."""

from trainer.entry import main

if __name__ == "__main__":
    main("classifier")
