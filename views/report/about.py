"""What a report says of its model before any number: the question, and the equations in LaTeX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class About:
    """question  what is asked; figure  the template that draws the model; equations  (words, LaTeX)"""

    question: str
    figure: str
    figure_says: str
    equations: tuple[tuple[str, str], ...]


GRID = About(
    "Given a noisy image, how probable is every label at every pixel, and how near does each approximate method come "
    "to the exact answer?",
    "grid.svg", "Factor graph: a label at every pixel, a factor for what was observed there, and a factor between "
    "neighbours",
    (("The model: what was seen at each pixel, and what neighbours have in common",
      r"p(y) = \frac{1}{Z} \exp\left( \sum_{i} \theta_i(y_i) + \sum_{(i,j)} \theta_{ij}(y_i, y_j) \right)"),
     ("Mean field: independent pixels, each updated given the others",
      r"q_i(y) \propto \exp\left( \theta_i(y) + \sum_{j \in N(i)} \sum_{y'} q_j(y') \theta_{ij}(y, y') \right)"),
     ("Mean field's bound", r"\log Z \ge \mathbb{E}_q[\log \tilde p(y)] + H(q)"),
     ("Belief propagation: the message from a pixel to its neighbour",
      r"m_{i \to j}(y) \propto \sum_{y'} e^{\theta_i(y') + \theta_{ij}(y', y)} "
      r"\prod_{k \in N(i), k \ne j} m_{k \to i}(y')"),
     ("Gibbs: a pixel drawn given its neighbours",
      r"p(y_i \mid y_{-i}) \propto \exp\left( \theta_i(y_i) + \sum_{j \in N(i)} \theta_{ij}(y_i, y_j) \right)")))
RATINGS = About(
    "Given some of the ratings, what will the others be, how sure can one be of it, and which way of inference "
    "predicts them best?",
    "factorization.svg", "Plates: a vector of factors for every user and for every item; a rating depends on one "
    "of each",
    (("The model: factors of users and items, and a rating of each pair",
      r"u_i \sim N(0, \sigma_0^2 I), \quad v_j \sim N(0, \sigma_0^2 I), \quad r_{ij} \sim N(u_i^\top v_j, \sigma^2)"),
     ("Variational inference climbs the evidence lower bound",
      r"\mathrm{ELBO}(q) = \mathbb{E}_q[\log p(r \mid U, V)] - \mathrm{KL}(q(U, V) \,\|\, p(U, V)) \le \log p(r)"),
     ("Gibbs draws a row given the other side",
      r"u_i \mid V, r \sim N\left( \Lambda_i^{-1} \sum_j \frac{r_{ij} v_j}{\sigma^2}, \Lambda_i^{-1} \right), \quad "
      r"\Lambda_i = \frac{I}{\sigma_0^2} + \sum_j \frac{v_j v_j^\top}{\sigma^2}"),
     ("What is scored: the negative log density of the test ratings, averaged over S draws",
      r"\mathrm{NLL} = -\frac{1}{n} \sum_{(i,j)} \log \frac{1}{S} "
      r"\sum_{s} N(r_{ij} \mid u_i^{s\top} v_j^s, \sigma^2)")))
LADDER = replace(RATINGS, equations=(
    ("The model, each part where --model names it: biases, effects of time, a noise that is learned",
     r"r_{ij} \sim N(u_i^\top v_j + b_i + c_j, \sigma^2), \quad \sigma^2 \sim \mathrm{InverseGamma}(3, 2)"),
    ("Priors that are learned, of a row and its bias, and of an item's alike; with features F the means move with them",
     r"(u_i, b_i) \sim N(a + F_i B, A^{-1}), \quad a \mid A \sim N(0, (2 A)^{-1}), \quad "
     r"A \sim \mathrm{Wishart}(D, I)"),
    RATINGS.equations[-1]))
ORDINAL = replace(RATINGS, equations=(
    ("The model: a rating is the level between whose thresholds a hidden number falls",
     r"y_{ij} \sim N(\eta_{ij}, 1), \quad \eta_{ij} = u_i^\top v_j + b_i + c_j, \quad "
     r"r_{ij} = k \text{ where } t_{k-1} < y_{ij} \le t_k"),
    ("So a level has a probability, and there is no density",
     r"P(r_{ij} = k \mid U, V, t) = \Phi(t_k - \eta_{ij}) - \Phi(t_{k-1} - \eta_{ij})"),
    ("What is scored: the negative log probability of the test ratings, averaged over S draws",
     r"\mathrm{NLL} = -\frac{1}{n} \sum_{(i,j)} \log \frac{1}{S} \sum_{s} P(r_{ij} \mid U^s, V^s, t^s)")))
PROGRAM = About(
    "Given the data, what do the latent sites of this Pyro program look like, and which inference is right about them?",
    "program.svg", "Latent sites, and the data that depend on them",
    (("The posterior", r"p(z \mid x) = \frac{p(z) \, p(x \mid z)}{p(x)}"),
     ("Error of a mean, in Monte Carlo standard errors of both",
      r"z = \frac{\bar m - \bar m^*}{\sqrt{v / \mathrm{ESS} + v / \mathrm{ESS}^*}}"),
     ("Agreement of chains, with W the variance within and B / N that of their means",
      r"\hat R^2 = \frac{\frac{N-1}{N} W + \frac{B}{N}}{W}")))
CHECK = About(
    "Does this method leave the distribution that it is for as it is? It is asked on problems whose latents and data "
    "can be drawn exactly.",
    "check.svg", "Latents and data are drawn together; the method takes a step given the data; what comes out must be "
    "distributed as what went in",
    (("A right kernel leaves the posterior as it is", r"\int p(z \mid x) \, K(z' \mid z, x) \, dz = p(z' \mid x)"),
     ("So every function has the same mean before a step and after it",
      r"\mathbb{E}[f(z', x)] = \mathbb{E}[f(z, x)], \quad (z, x) \sim p, \; z' \sim K(\cdot \mid z, x)")))
ABOUT: Mapping[str, About] = {"grid": GRID, "factorization": RATINGS, "ladder": LADDER,
                             "ordinal": ORDINAL, "program": PROGRAM, "check": CHECK}
