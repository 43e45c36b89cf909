"""A trainer that transcribes the book's network.py statement by statement.

It has two uses: an oracle that shares no arithmetic with impls, and a speed reference, because `loop` must not be slower than it.
"""

import numpy as np

from impls import Network, Trainer


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))


class Book(Trainer):
    def _setup(self, data):
        y = np.eye(self.layers[-1], dtype=self.dtype)
        self.training_data = [
            (x.reshape(-1, 1), y[label].reshape(-1, 1)) for x, label in zip(data.images.astype(self.dtype), data.labels, strict=True)
        ]

    def _set_weights(self, network):
        self.weights = [w.copy() for w in network.weights]
        self.biases = [b.copy() for b in network.biases]

    def network(self):
        return Network(self.weights, self.biases)

    def _epoch(self, order):
        shuffled = [self.training_data[k] for k in order]
        for k in range(0, len(shuffled), self.batch_size):
            self.update_mini_batch(shuffled[k : k + self.batch_size], self.learning_rate)

    def update_mini_batch(self, mini_batch, eta):
        nabla_b = [np.zeros(b.shape, b.dtype) for b in self.biases]
        nabla_w = [np.zeros(w.shape, w.dtype) for w in self.weights]
        for x, y in mini_batch:
            delta_nabla_b, delta_nabla_w = self.backprop(x, y)
            nabla_b = [nb + dnb for nb, dnb in zip(nabla_b, delta_nabla_b, strict=True)]
            nabla_w = [nw + dnw for nw, dnw in zip(nabla_w, delta_nabla_w, strict=True)]
        self.weights = [w - (eta / len(mini_batch)) * nw for w, nw in zip(self.weights, nabla_w, strict=True)]
        self.biases = [b - (eta / len(mini_batch)) * nb for b, nb in zip(self.biases, nabla_b, strict=True)]

    def backprop(self, x, y):
        nabla_b = [None for _ in self.biases]
        nabla_w = [None for _ in self.weights]
        activation = x
        activations = [x]
        zs = []
        for b, w in zip(self.biases, self.weights, strict=True):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = (activations[-1] - y) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        for layer in range(2, len(self.weights) + 1):
            delta = np.dot(self.weights[-layer + 1].transpose(), delta) * sigmoid_prime(zs[-layer])
            nabla_b[-layer] = delta
            nabla_w[-layer] = np.dot(delta, activations[-layer - 1].transpose())
        return nabla_b, nabla_w
