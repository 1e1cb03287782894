"""Training data that never lands on the disk: from files of records straight into the steps.

The stream is divided into lanes (:mod:`~training.stream.lane_order`), each an endless sequence of
blocks that is a pure function of the files, the seed and its position, and of each step every lane
provides equally many. So any number of processes and workers sees the same blocks, and a resumed
run goes on from the lanes' positions.
"""
