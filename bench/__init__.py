"""`make bench`: how quick and how small the bridge is, measured from outside on the production processes.

What is measured is always the same four things: the emulator in a process of its own, `serve` in another,
real pipes and real HTTP between them, and a clock as near to the pipe as can be. Every measurement says in
its docstring what its figures include. A cross beside a figure is information and no verdict: machines differ.
"""
