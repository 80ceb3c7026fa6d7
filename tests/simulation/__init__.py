"""The product in one process, driven by a seed: its actions, core, store, chain, vault, index and leases are the real
ones; the host, the clock, the mail server, the jobs, the people and the crashes are simulated.

``make simulate`` runs many seeds, ``python -m tests.simulation --seed N`` replays one to the letter. See
docs/simulation.md.
"""
