"""Training tricks for Keras 3: the same objects on TensorFlow, JAX and PyTorch, driven by `model.fit`."""
