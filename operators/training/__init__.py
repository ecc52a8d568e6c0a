"""What every trained method shares: runs that go epoch by epoch, batches, gradient steps, state as arrays."""
