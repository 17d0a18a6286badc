"""image denoising with a grid Markov random field"""
