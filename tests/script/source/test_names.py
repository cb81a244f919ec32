"""What people call gradients, losses and step sizes."""

from __future__ import annotations

import ast

import pytest

from gradcheck.script.source.names import (
    base_name,
    fold,
    is_derivative_function,
    is_gradient_function,
    is_gradient_word,
    is_step_size,
    loss_rank,
    parameter_of,
)
from gradcheck.script.source.syntax import text_of


@pytest.mark.parametrize(
    ("label", "parameter"),
    [
        ("dW1", "W1"),
        ("dw", "w"),
        ("db_2", "b_2"),
        ("d_weights1", "weights1"),
        ("grad_W1", "W1"),
        ("gradW", "W"),
        ("W1_grad", "W1"),
        ("w_gradient", "w"),
        ("delta_w1", "w1"),
        ("dL_dW1", "W1"),
        ("dLdW", "W"),
        ("dloss_dw", "w"),
        ("dJ_dtheta", "theta"),
        ("nabla_b", "b"),
        ("g_w", "w"),
        ("self.dW", "W"),
        ("grads['dW1']", "W1"),
        ("grads['W1']", None),
        ("nabla_w[0]", "w[0]"),
        ("partial_w", "w"),
    ],
)
def test_a_gradients_name_leads_to_its_parameter(label, parameter):
    assert parameter in parameter_of(label) if parameter else parameter_of(label) == []


@pytest.mark.parametrize("label", ["W1", "b", "x", "loss", "hidden", "X", "self.W", "result"])
def test_other_names_lead_nowhere(label):
    assert parameter_of(label) == []


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("w1", "w1"),
        ("self.W1", "W1"),
        ("params['W1']", "W1"),
        ('params["W1"]', "W1"),
        ("weights[1]", "weights[1]"),
        ("net.layers[0].W", "W"),
        ("self.params['W']", "W"),
    ],
)
def test_base_name(name, base):
    assert base_name(name) == base


def test_fold_ignores_case_and_underscores():
    assert fold("W_1") == fold("w1")


@pytest.mark.parametrize(
    ("name", "rank"),
    [
        ("loss", 2),
        ("compute_cost", 2),
        ("self.loss", 2),
        ("mse", 2),
        ("cross_entropy", 2),
        ("J", 2),
        ("log_likelihood", 2),
        ("lossFun", 2),
        ("objective", 2),
        ("error", 1),
        ("total_error", 1),
        ("E", 1),
        ("fehler", 1),
        ("f", 1),
        ("predict", 0),
        ("sigmoid", 0),
        ("accuracy", 0),
        ("loss_derivative", 0),
        ("cost_prime", 0),
        ("grad_loss", 0),
        ("d_loss", 0),
        ("forward", 0),
        ("closs_to", 2),
    ],
)
def test_how_much_a_name_looks_like_a_loss(name, rank):
    assert loss_rank(name) == rank


@pytest.mark.parametrize("name", ["backprop", "gradient", "self.backward", "compute_grads", "nabla", "dW", "deltas"])
def test_gradient_words(name):
    assert is_gradient_word(name)


@pytest.mark.parametrize("name", ["forward", "data", "w", "sigmoid", "good", "degrees", "digits"])
def test_no_gradient_words(name):
    assert not is_gradient_word(name)


@pytest.mark.parametrize("name", ["sigmoid_prime", "relu_derivative", "d_tanh", "squash_slope", "cost_derivative"])
def test_derivatives_of_a_single_number_are_no_gradients(name):
    assert is_derivative_function(name)
    assert not is_gradient_function(name)


@pytest.mark.parametrize("name", ["gradient", "jac", "compute_grad", "fprime", "grad_f"])
def test_gradient_functions(name):
    assert is_gradient_function(name)


@pytest.mark.parametrize("name", ["lr", "self.lr", "LEARNING_RATE", "learnRate", "eta", "alpha", "step_size", "rate2"])
def test_step_sizes(name):
    assert is_step_size(name)


@pytest.mark.parametrize("name", ["w", "beta", "hours", "rates_of_all", "eps", "steep", "lrx", "X", "delta"])
def test_no_step_sizes(name):
    assert not is_step_size(name)


@pytest.mark.parametrize(
    "text", ["w", "self.W", "a.b.c", "f(x).T", "W[0].T", "(1).real", "(a + b).T", "w[i, j]", "-w", "lambda x: x.y"]
)
def test_the_text_of_an_expression_is_as_python_writes_it(text):
    for node in ast.walk(ast.parse(text, mode="eval").body):
        if isinstance(node, ast.expr):
            assert text_of(node) == ast.unparse(node)
