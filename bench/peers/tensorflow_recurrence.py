"""One training step of a recurrent network in TensorFlow, as a peer (peer.py):  python bench/peers/tensorflow_recurrence.py THREADS

The network of pytorch_recurrence.py: the last state of `keras.layers.LSTM` or `GRU` and a linear layer, mean squared error, Adam: one tf.function. Python and
tensorflow are no dependency of the project.
"""

import peer
from with_tensorflow import keras, tf

WAYS = ["graph", "graph, unrolled", "xla"]
BATCHES = 8


def make(request):
    keras.backend.clear_session()
    steps, batch, inputs, way = (request[name] for name in ("steps", "batch", "inputs", "way"))
    cell = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[request["cell"]]
    first = keras.Input((steps, inputs), batch_size=batch)
    model = keras.Model(first, keras.layers.Dense(1)(cell(request["hidden"], unroll=way.endswith("unrolled"))(first)))
    x = tf.random.uniform((BATCHES, batch, steps, inputs), -1, 1)
    batches = [(x[at], x[at, :, 0, :1]) for at in range(BATCHES)]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=way == "xla")
    def step_of(values, wanted):
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(tf.square(model(values, training=True) - wanted))
        optimizer.apply_gradients(zip(tape.gradient(value, model.trainable_variables), model.trainable_variables))
        return value

    return lambda index: step_of(*batches[index]), None, BATCHES


peer.serve("TensorFlow", tf.__version__, WAYS, make, kept=1)
