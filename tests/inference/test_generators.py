"""The door to the global generators."""

import random

import numpy as np
import pytest
import torch

from inference import generators


def drawn() -> tuple[float, float, float]:
    return float(torch.rand((), dtype=torch.float64)), float(np.random.rand()), random.random()


@pytest.mark.parametrize("number", [7, 2**40 + 7, 2**63])
def test_any_number_seeds_all_of_them(number):
    """Each as by its own function; numpy's takes no number of more than 32 bits."""
    with generators.handed_back():
        torch.manual_seed(number)
        np.random.seed(number % 2**32)
        random.seed(number)
        expected = drawn()
        generators.seed(number)
        assert drawn() == expected


def test_they_are_handed_back_from_whatever_happens_inside():
    with generators.handed_back():
        generators.seed(1)
        first = drawn()
        generators.seed(1)
        with pytest.raises(ZeroDivisionError), generators.handed_back():
            generators.seed(2)
            raise ZeroDivisionError
        assert drawn() == first
