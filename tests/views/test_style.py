"""One look: who has which colour."""

from views.style import OWN, PALETTE, begin, colour, colours, styles


def test_a_method_that_is_known_has_the_same_colour_in_every_run():
    begin(["loopy_bp", "mean_field", "gibbs"])
    first = colours()
    begin(["gibbs", "loopy_bp", "annealed_importance_sampling", "brute_force"])
    assert {n: c for n, c in colours().items() if n in first} == {n: c for n, c in first.items() if n != "mean_field"}


def test_no_two_methods_look_the_same():
    names = [*OWN, *(f"method_{k}" for k in range(12))]
    begin(names)
    looks = {(s["color"], s["marker"], s["linestyle"]) for s in styles(names).values()}
    assert len(looks) == len(names) and {s["color"] for s in styles(names[:3]).values()} <= set(PALETTE)
    assert colour("nobody") is None and colour(3.5) is None
