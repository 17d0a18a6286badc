"""What takes long says so, though nobody speaks meanwhile."""

import time

from runs.busy import Pulse


def test_the_last_word_is_said_again_while_nobody_speaks(capsys):
    pulse = Pulse(every=0.02)
    with pulse.beating():
        pulse.doing = "nuts_pyro: sets out, chain 1 of 4"
        time.sleep(0.2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) >= 2 and all(line.startswith("... nuts_pyro: sets out, chain 1 of 4, after") for line in said)


def test_nothing_is_said_that_is_over_soon(capsys):
    pulse = Pulse(every=60.0)
    with pulse.beating():
        pulse("enumeration: 1 of 1")
    assert not capsys.readouterr().err
