"""What every family stands on: configuration, checks, operations, random numbers. Knows Keras, knows no trick."""
