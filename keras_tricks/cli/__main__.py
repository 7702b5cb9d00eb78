"""`python -m keras_tricks.cli`: the command `keras-tricks`."""

import sys

from keras_tricks.cli import main

sys.exit(main())
