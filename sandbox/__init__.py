"""The outside world in a box: faithful fakes of the remote systems over real HTTP on loopback.

Started as a process (`python -m sandbox`); it imports nothing of the bridge and the bridge
imports nothing of it.
"""
