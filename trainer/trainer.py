"""The package ``trainer`` for the scripts of this folder: Python looks beside a script first, and finds this module.

So ``accelerate launch trainer/train_vae.py`` runs the checkout that the script is in, whether it is installed or not.
"""

import sys
from pathlib import Path

__path__ = [str(Path(__file__).resolve().parent)]

from trainer.contract.packages import explain

explain("train", sys.argv[0])
