"""a Pyro program of your own, in a file"""
