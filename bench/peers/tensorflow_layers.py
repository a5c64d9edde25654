"""One training step of a network with convolutions in TensorFlow, as a peer (peer.py):  python bench/peers/tensorflow_layers.py THREADS

The networks of bench/layers/convolution.ts: {"network": "lenet" | "residual" | "convolution", "input", "batch", "single"}. Cross-entropy, backward, Adam: one
tf.function over the layers of Keras. Python and tensorflow are no dependency of the project.
"""

import peer
from with_tensorflow import keras, tf

layers = keras.layers
CLASSES, BATCHES = 10, 4
WAYS = ["graph", "xla"]


class Scale(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


def block(x, n):
    y = layers.Conv2D(n, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(n, 3, padding="same", use_bias=False)(y))
    return layers.ReLU()(x + y)


def network(request):
    x = first = keras.Input(request["input"])
    if request["network"] == "lenet":
        x = layers.MaxPool2D(2)(layers.Conv2D(16, 5, activation="relu")(x))
        x = layers.Flatten()(layers.MaxPool2D(2)(layers.Conv2D(32, 5, activation="relu")(x)))
        x = layers.Dropout(0.5)(layers.Dense(128, activation="relu")(x))
    elif request["network"] == "residual":
        x = block(block(layers.Conv2D(16, 3, padding="same")(x), 16), 16)
        for n in (32, 64):
            x = block(layers.Conv2D(n, 3, 2)(layers.ZeroPadding2D(1)(x)), n)
        x = layers.GlobalAveragePooling2D()(x)
    else:
        one = request["single"]
        kernel, stride = one["kernel"], one["stride"]
        x = Scale()(x)
        padding = "same" if stride == 1 else "valid"
        if stride > 1 and kernel > 1:
            x = layers.ZeroPadding2D(kernel // 2)(x)
        if one["groups"] == 1:
            x = layers.Conv2D(one["outputs"], kernel, stride, padding)(x)
        else:
            x = layers.DepthwiseConv2D(kernel, stride, padding)(x)
        x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(first, layers.Dense(CLASSES)(x))


def make(request):
    keras.backend.clear_session()
    height, width, channels = request["input"]
    batch, way = request["batch"], request["way"]
    model = network(request)
    x = tf.random.uniform((BATCHES * batch, height, width, channels))
    y = tf.random.uniform((BATCHES * batch,), maxval=CLASSES, dtype=tf.int32)
    told = tf.reshape(tf.range(height * width * channels) % CLASSES, (1, height, width, channels))
    x += 0.5 * tf.cast(told == y[:, None, None, None], tf.float32)
    batches = [(x[at : at + batch], y[at : at + batch]) for at in range(0, BATCHES * batch, batch)]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function(jit_compile=way == "xla")
    def step_of(inputs, labels):
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            value = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(value, model.trainable_variables), model.trainable_variables))
        return value

    return lambda index: step_of(*batches[index]), None, BATCHES


peer.serve("TensorFlow", tf.__version__, WAYS, make, 4)
