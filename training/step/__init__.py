"""One training step: network, loss, gradients over many processes, update."""
