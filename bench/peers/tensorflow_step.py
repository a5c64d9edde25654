"""One training step in TensorFlow, as a peer (peer.py):  python bench/peers/tensorflow_step.py THREADS

The step is one tf.function over variables: forward with dropout 0.5, cross-entropy, backward, and the fused kernel of
Adam. Python and tensorflow are no dependency of the project.
"""

import peer
from with_tensorflow import tf

WAYS = ["graph", "xla"]

LR, BETA1, BETA2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def make(sizes, batch, way, norm):
    if norm is not None:
        raise ValueError("no normalization here")
    x, y = peer.data(sizes[0], sizes[-1])
    # Cut once: a place as an argument would make XLA compile a step for every place.
    batches = [
        (tf.constant(x[at : at + batch]), tf.constant(y[at : at + batch])) for at in range(0, peer.EXAMPLES, batch)
    ]
    variables = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        bound = (6 / (inputs + outputs)) ** 0.5
        variables.append(tf.Variable(tf.random.uniform([inputs, outputs], -bound, bound)))
        variables.append(tf.Variable(tf.zeros([outputs])))
    moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
    power1, power2 = tf.Variable(BETA1), tf.Variable(BETA2)

    def forward(value):
        for layer in range(0, len(variables), 2):
            value = tf.nn.bias_add(tf.matmul(value, variables[layer]), variables[layer + 1])
            if layer + 2 < len(variables):
                value = tf.nn.dropout(tf.nn.relu(value), 0.5)
        return value

    @tf.function(jit_compile=way == "xla", autograph=False)
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=forward(inputs))
            value = tf.reduce_mean(losses)
        for variable, (first, second), gradient in zip(variables, moments, tape.gradient(value, variables)):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=power1,
                beta2_power=power2,
                lr=LR,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                grad=gradient,
            )
        power1.assign(power1 * BETA1)
        power2.assign(power2 * BETA2)
        return value

    return lambda index: step(*batches[index]), None


peer.serve("TensorFlow", tf.__version__, WAYS, peer.of_networks(make))
