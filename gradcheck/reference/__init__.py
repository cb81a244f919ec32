"""A small multilayer perceptron, fully vectorised: the corrected form of what is often written by hand.

It needs NumPy and nothing else. Read it in this order: `activations`, `losses`, `layers`, `network`, `optimizers`,
`trainer`; then `classifier` and `regressor`, which put scaling and labels around them.
"""

from gradcheck.reference.activations import ACTIVATIONS as ACTIVATIONS
from gradcheck.reference.activations import activation as activation
from gradcheck.reference.classifier import MLPClassifier as MLPClassifier
from gradcheck.reference.data import TASKS as TASKS
from gradcheck.reference.data import Dataset as Dataset
from gradcheck.reference.data import digits as digits
from gradcheck.reference.data import moons as moons
from gradcheck.reference.data import parity as parity
from gradcheck.reference.data import xor as xor
from gradcheck.reference.losses import BinaryCrossEntropy as BinaryCrossEntropy
from gradcheck.reference.losses import SoftmaxCrossEntropy as SoftmaxCrossEntropy
from gradcheck.reference.losses import SquaredError as SquaredError
from gradcheck.reference.network import Network as Network
from gradcheck.reference.optimizers import SGD as SGD
from gradcheck.reference.optimizers import Adam as Adam
from gradcheck.reference.optimizers import Momentum as Momentum
from gradcheck.reference.regressor import MLPRegressor as MLPRegressor
from gradcheck.reference.storage import load as load
from gradcheck.reference.storage import save as save
from gradcheck.reference.trainer import History as History
from gradcheck.reference.trainer import train as train
