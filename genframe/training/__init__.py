"""The only training loop, and what it needs: batches, one step, running averages, signals."""
