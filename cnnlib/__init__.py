"""Everything that two scripts of the suite share; CONTRIBUTING.md draws the map."""

import os

# TensorFlow reads both as it is imported. Without oneDNN, which it takes by itself only on processors with AVX-512, a
# training step needs half as long again on others.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # warnings and errors alone, where the library listens to it
