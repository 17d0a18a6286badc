"""What a rung of the ladder adds that the rows know nothing of: its latents, one file a rung.

Each is sites, a prior that is drawn from, its log density in nats, and the same as a part of the Pyro program; all in
standard units. Ladder puts them together (models/ladder.py), and says what is expected of a rating given them.
"""
