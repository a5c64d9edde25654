"""A training step of a small transformer in TensorFlow, or one token that it goes on by, as a peer (peer.py):  python bench/peers/tensorflow_attention.py THREADS

The network of pytorch_attention.py: embedding, learned positions, causal blocks with the norms in front, gelu, a norm and a linear layer; cross-entropy of the
next token, Adam. A request says {"kind": "step" or "token", "layers", "size", "heads", "time", "batch", "vocabulary"}: one tf.function over the layers of Keras.
Python and tensorflow are no dependency of the project.
"""

import itertools

import peer
from with_tensorflow import keras, tf

layers = keras.layers
WAYS = ["graph", "xla"]
BATCHES = 4


class Block:
    def __init__(self, size, heads):
        self.heads, self.own = heads, size // heads
        self.norm1, self.norm2 = (layers.LayerNormalization(epsilon=1e-5) for _ in range(2))
        self.packed, self.out = layers.Dense(3 * size), layers.Dense(size)
        self.linear1, self.linear2 = layers.Dense(4 * size, activation="gelu"), layers.Dense(size)
        self.layers = [self.norm1, self.norm2, self.packed, self.out, self.linear1, self.linear2]

    def parts(self, x):
        """Queries, keys and values, [batch, heads, time, own]."""
        batch, time, _ = x.shape
        packed = tf.reshape(self.packed(self.norm1(x)), (batch, time, 3, self.heads, self.own))
        return tf.unstack(tf.transpose(packed, (2, 0, 3, 1, 4)))

    def finish(self, x, weights, values):
        batch, time, size = x.shape
        x += self.out(tf.reshape(tf.transpose(weights @ values, (0, 2, 1, 3)), (batch, time, size)))
        return x + self.linear2(self.linear1(self.norm2(x)))

    def scores(self, queries, keys, mask):
        return tf.nn.softmax(tf.matmul(queries, keys, transpose_b=True) * self.own**-0.5 + mask)


def make(request):
    keras.backend.clear_session()
    size, heads, time, batch, vocabulary = (request[name] for name in ("size", "heads", "time", "batch", "vocabulary"))
    table = layers.Embedding(vocabulary, size)
    places = tf.Variable(tf.random.normal((time, size), stddev=0.02))
    blocks = [Block(size, heads) for _ in range(request["layers"])]
    norm, head = layers.LayerNormalization(epsilon=1e-5), layers.Dense(vocabulary)
    jit = request["way"] == "xla"
    if request["kind"] == "token":
        return token(table, places, blocks, norm, head, request, jit)
    mask = tf.where(tf.linalg.band_part(tf.ones((time, time)), -1, 0) > 0, 0.0, -1e30)

    def forward(x):
        y = table(x) + places
        for block in blocks:
            queries, keys, values = block.parts(y)
            y = block.finish(y, block.scores(queries, keys, mask), values)
        return head(norm(y))

    x = tf.random.uniform((BATCHES, batch, time + 1), maxval=vocabulary, dtype=tf.int32)
    batches = [(x[at, :, :-1], x[at, :, 1:]) for at in range(BATCHES)]
    forward(batches[0][0])
    built = [table, *(layer for block in blocks for layer in block.layers), norm, head]
    variables = [places, *(variable.value for layer in built for variable in layer.trainable_variables)]
    optimizer = keras.optimizers.Adam(1e-3)
    own = [keras.Variable(places), *(variable for layer in built for variable in layer.trainable_variables)]
    optimizer.build(own)
    variables[0] = own[0].value
    places = own[0].value

    @tf.function(jit_compile=jit)
    def step_of(inputs, labels):
        with tf.GradientTape() as tape:
            value = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, forward(inputs)))
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(value, variables)]
        optimizer.apply_gradients(zip(gradients, own))
        return value

    return lambda index: step_of(*batches[index]), None, BATCHES


def token(table, places, blocks, norm, head, request, jit):
    time, vocabulary = request["time"], request["vocabulary"]
    shape = (1, request["heads"], time, request["size"] // request["heads"])
    kept = [(tf.Variable(tf.zeros(shape)), tf.Variable(tf.zeros(shape))) for _ in blocks]
    tokens = tf.random.uniform((time, 1, 1), maxval=vocabulary, dtype=tf.int32)

    def forward(given, place):
        y = table(given) + tf.gather(places, place)
        here = tf.one_hot(place, time)[None, None, :, None]
        mask = tf.where(tf.range(time) <= place, 0.0, -1e30)
        for block, memory in zip(blocks, kept):
            queries, *new = block.parts(y)
            # One place is overwritten.
            keys, values = (old.assign(old * (1 - here) + part * here) for old, part in zip(memory, new))
            y = block.finish(y, block.scores(queries, keys, mask), values)
        return tf.reduce_mean(head(norm(y)))

    forward(tokens[0], tf.constant(0))
    step_of = tf.function(forward, jit_compile=jit)
    at, calls = [tf.constant(place) for place in range(time)], itertools.count()
    # Tokens are not learnt: what falls is their number.
    return lambda index: step_of(tokens[index], at[index]) - next(calls), None, time


peer.serve("TensorFlow", tf.__version__, WAYS, make, kept=1)
