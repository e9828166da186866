"""Training. Its process computes with Keras on TensorFlow, whatever the environment says."""

from cnnlib.core.environment import settle

settle()  # before Keras is imported
