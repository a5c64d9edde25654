"""TensorFlow, and Keras over it, as the peers of bench/ take them: with as many threads as the first argument says, on processors alone. Where it is not installed the peer says so."""

import os
import sys

import peer

THREADS = int(sys.argv[1])
os.environ["OMP_NUM_THREADS"] = str(THREADS)
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

try:
    import keras
    import tensorflow as tf
except ImportError as error:
    peer.absent(f"tensorflow: {error}")

tf.config.threading.set_intra_op_parallelism_threads(THREADS)
tf.config.threading.set_inter_op_parallelism_threads(1)
tf.config.set_visible_devices([], "GPU")
