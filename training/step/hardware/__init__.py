"""What a step does differently from device to device: compiled layers, batched products, peaks."""
