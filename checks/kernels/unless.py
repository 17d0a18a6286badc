"""What a rejection says nothing of: a State that is not drawn given the latents, a walk that was never accepted."""

from __future__ import annotations

import torch
from torch import Generator

from checks.kernels.trial import STEPS, Trial, confirmed, suspects
from checks.problems.problem import take
from checks.verdict import Outcome, Verdict
from inference.finite import tensors

SURE = 1e-3  # that the control is rejected again where nothing is wrong with the model


def unless(verdict: Verdict, trial: Trial, allowed: float) -> Verdict:
    """A wrong kernel's verdict, unless what was seen says nothing of a kernel like this one."""
    if verdict.findings and (said := disagreement(trial, allowed)):
        verdict.outcome, verdict.findings, verdict.why = Outcome.UNKNOWN, [], said
    elif verdict.findings and (more := drawn_besides(trial)):
        verdict.outcome = Outcome.UNKNOWN
        verdict.why = (f"{verdict.findings[0]}, but its start draws {', '.join(more)} beside the latents: if not given "
                       f"them and the data, a right kernel is off at first too; draw it so, and say "
                       f"STARTS_IN_EQUILIBRIUM = True in the file")
    elif verdict.faults and still(trial):
        verdict.outcome, verdict.faults = Outcome.UNKNOWN, []
        verdict.why = (f"nothing moved in {trial.n:,} replicates of {STEPS} steps, though it draws random numbers: if "
                       f"it accepts or refuses, make its steps shorter, or look at its acceptance probability; if "
                       f"not, it returns what it was given")
    return verdict


def disagreement(trial: Trial, allowed: float) -> str:
    """What is said where a kernel that is right by construction is rejected too, on as many replicates; else ""."""
    if trial.problem.control is None:
        return ""
    control = Trial(trial.rng, trial.problem.control, trial.problem)
    control.scale = trial.scale  # which takes longer to learn than the control to run
    found = suspects(control.upto(trial.n), allowed)
    if not found or control.scale is None:
        return ""
    again = Trial(trial.rng, trial.problem.control, trial.problem)
    again.scale = control.scale.forgotten()
    if not confirmed(again.upto(trial.n), found[0], SURE):  # by chance, as once in 1 / allowed
        return ""
    name = control.scale.names[found[0].function]
    return (f"a kernel that is right by construction is rejected too, by the {name[0]} of {name[1]}: the sample() and "
            f"the log_prob() of this model disagree, and no kernel can be judged on it"
            + "".join(f"; {known}" for known in trial.problem.excuses))


def drawn_besides(trial: Trial) -> list[str]:
    """What a State holds that `start` draws besides the latents, unless the file says that it is drawn given them."""
    method, problem = trial.kernel.method, trial.problem
    if not method.start or getattr(method.module, "STARTS_IN_EQUILIBRIUM", False):
        return []
    one = take(trial.before, 0), problem.one(trial.data, 0)
    first, second = (dict(tensors(trial.kernel.start(Generator().manual_seed(seed), problem.model, one[1], one[0])))
                     for seed in (1, 2))
    return [name for name, x in first.items() if name in second and not torch.equal(x, second[name])]


def still(trial: Trial) -> bool:
    """Whether nothing moved in any replicate, though random numbers were drawn for it."""
    if not all(torch.equal(x, trial.after[site]) for site, x in trial.before.items()):
        return False
    rng = Generator().manual_seed(0)
    before = rng.get_state()
    trial.kernel.move(rng, trial.problem, take(trial.before, slice(2)), take(trial.data, slice(2)), STEPS)
    return not torch.equal(before, rng.get_state())
